"""Send requests one by one: skip those with a stored answer, retry passing failures, keep every paid answer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass

from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from anomend.purchasing.budget import Budget
from anomend.purchasing.failures import FatalRequestError, RefusedRequest, TransientRequestError, UnusableRequest
from anomend.purchasing.requests import Outcome, PaidRequest, Record
from anomend.purchasing.store import RequestStore

Send = Callable[[PaidRequest], Outcome]
"""Sends one request and returns its outcome; raises the exceptions of `failures`."""


@dataclass(frozen=True)
class Patience:
    """How often and after which wait a failed request is tried again."""

    attempts: int = 6
    """Times that one request is sent, at most."""
    first_wait: float = 1.0
    """Seconds; about doubled with every failure, random, and never shorter than the server asks for."""
    max_wait: float = 60.0
    """Seconds at most, unless the server asks for more."""


@dataclass
class Counts:
    """Requests and money of a run, for the metric files."""

    requests_paid: int = 0
    requests_from_store: int = 0
    requests_refused: int = 0
    """Refusals among the two above."""
    retries: int = 0
    repeated_after_kill: int = 0
    """Sent again because a kill fell between request and answer, in any run."""
    spend_usd: float = 0.0
    """What the answers cost, in any run."""
    maybe_spent_usd: float = 0.0
    """Estimate of what was charged for answers that never arrived or could not be used."""


class _Stopped(Exception):
    """Another request ended the run before this one was sent."""


class Purchase:
    """Buys the answers to requests, at most `concurrency` at a time.

    Args:
        store: where answers are kept; hold its lock.
        budget: what may be spent.
        concurrency: requests in flight at once.
        patience: how failures are retried.
        counts: filled in as answers come.
    """

    def __init__(
        self, store: RequestStore, budget: Budget, *, concurrency: int, patience: Patience, counts: Counts
    ) -> None:
        self.store, self.budget, self.counts = store, budget, counts
        self.concurrency, self.patience = concurrency, patience
        self._lock = threading.Lock()
        self._stop = threading.Event()

    def run(
        self, requests: Sequence[PaidRequest], send: Send, progress: Callable[[Counts], None] = lambda _: None
    ) -> list[Record]:
        """The answers to all requests, in their order; equal requests are sent once.

        Args:
            requests: what to send.
            send: sends one request.
            progress: called after each answer, from this thread.

        Raises:
            FatalRequestError: the run had to stop. What was in flight has been waited for; all answers are kept.
        """
        unique = {request.key: request for request in requests}
        records: dict[str, Record] = {}
        for key, request in unique.items():
            if (record := self.store.get(request)) is not None:
                records[key] = record
                self._count(record, from_store=True)
                self.budget.pay(record.outcome.usd + record.lost_usd)
                progress(self.counts)
            elif lost := self.store.lost(request):
                self.budget.pay(lost)
        missing = [request for key, request in unique.items() if key not in records]
        records |= self._buy(missing, send, progress)
        return [records[request.key] for request in requests]

    def _buy(self, missing: Sequence[PaidRequest], send: Send, progress: Callable[[Counts], None]) -> dict[str, Record]:
        bought: dict[str, Record] = {}
        problem: BaseException | None = None
        unusable: list[UnusableRequest] = []
        with ThreadPoolExecutor(self.concurrency) as pool:
            futures: dict[Future[Record], PaidRequest] = {
                pool.submit(self._send_until_answered, request, send): request for request in missing
            }
            try:
                for future in as_completed(futures):
                    try:
                        bought[futures[future].key] = future.result()
                        progress(self.counts)
                    except _Stopped:
                        pass
                    except UnusableRequest as error:
                        unusable.append(error)
                    except Exception as error:
                        problem = problem or error
            finally:
                # After Ctrl+C too: requests not yet sent are dropped, those in flight are waited for and kept.
                self._stop.set()
        self._stop.clear()
        if problem is not None:
            raise problem
        if unusable:
            count = f"{len(unusable)} requests have no answer; the first: " if len(unusable) > 1 else ""
            raise UnusableRequest(f"{count}{unusable[0]}")
        return bought

    def _send_until_answered(self, request: PaidRequest, send: Send) -> Record:
        """Send one request until it has an outcome."""
        retrying = Retrying(
            stop=stop_after_attempt(self.patience.attempts),
            wait=self._wait,
            retry=retry_if_exception_type(TransientRequestError),
            sleep=self._sleep,
            before_sleep=lambda _: self._add(retries=1),
            reraise=True,
        )
        try:
            return retrying(self._send_once, request, send)
        except TransientRequestError as error:
            if error.alone:
                raise UnusableRequest(
                    f"{error}, {self.patience.attempts} times in a row: replace its picture or its prompt, or run again"
                    " later; all other answers are kept"
                ) from None
            self._stop.set()
            raise FatalRequestError(
                f"{error}, {self.patience.attempts} times in a row: run again later; all paid answers are kept"
            ) from None
        except BaseException:
            # At once, before this thread or another takes the next request.
            self._stop.set()
            raise

    def _send_once(self, request: PaidRequest, send: Send) -> Record:
        if self._stop.is_set():
            raise _Stopped
        self.budget.reserve(request.estimate_usd)
        paid = 0.0
        try:
            self.store.begin(request)
            try:
                outcome = send(request)
            except RefusedRequest as error:
                outcome = Outcome(kind="refusal", response={}, usd=0.0, reason=str(error))
            except TransientRequestError as error:
                paid = request.estimate_usd if error.maybe_paid else 0.0
                self.store.end(request, paid)
                raise
            except BaseException:
                self.store.end(request)
                raise
            paid = outcome.usd
            record = self.store.put(request, outcome)
        finally:
            self.budget.settle(request.estimate_usd, paid)
        self._count(record, from_store=False)
        return record

    def _wait(self, state: RetryCallState) -> float:
        failure = state.outcome.exception() if state.outcome else None
        from_server = failure.retry_after if isinstance(failure, TransientRequestError) else None
        random_wait = wait_random_exponential(multiplier=self.patience.first_wait, max=self.patience.max_wait)(state)
        return max(random_wait, from_server or 0.0)

    def _sleep(self, seconds: float) -> None:
        self._stop.wait(seconds)

    def _count(self, record: Record, *, from_store: bool) -> None:
        self._add(
            requests_from_store=int(from_store),
            requests_paid=int(not from_store),
            requests_refused=int(record.outcome.kind == "refusal"),
            spend_usd=record.outcome.usd,
            maybe_spent_usd=record.lost_usd,
            repeated_after_kill=record.kills,
        )

    def _add(self, **amounts: float) -> None:
        with self._lock:
            for name, amount in amounts.items():
                setattr(self.counts, name, getattr(self.counts, name) + amount)
