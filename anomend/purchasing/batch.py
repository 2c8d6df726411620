"""Buying by a vendor's batch API: half the price, answers within a day.

A batch that was submitted is noted in the store until its answers are kept, so that a run which was killed, or stopped
by its user, collects it later instead of paying for another.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_fixed

from anomend.purchasing.budget import Budget
from anomend.purchasing.failures import FatalRequestError, TransientRequestError
from anomend.purchasing.purchase import Counts
from anomend.purchasing.requests import Outcome, PaidRequest
from anomend.purchasing.store import RequestStore, write_atomically

T = TypeVar("T")
ATTEMPTS = 6
Result = tuple[str, Outcome | str]
"""A request's key, and its outcome, or why it has none."""


class BatchApi(Protocol):
    """A vendor's batch API; its methods raise the exceptions of `failures`."""

    def submit(self, requests: Sequence[PaidRequest]) -> str:
        """Submit requests under their keys; returns the batch's id."""

    def ended(self, batch: str) -> bool:
        """Whether a batch is done, well or not."""

    def results(self, batch: str) -> Iterator[Result]:
        """What came of each request of a batch that has ended."""


def buy_in_batches(
    store: RequestStore,
    budget: Budget,
    requests: Sequence[PaidRequest],
    api: BatchApi,
    counts: Counts,
    *,
    poll_s: float,
    progress: Callable[[Counts], None] = lambda _: None,
) -> None:
    """Buy the answers that are not stored, in one batch; hold the store's lock.

    Args:
        store: where answers are kept.
        budget: what may be spent; the whole batch must fit.
        requests: what to ask; those that are stored are not asked again.
        api: the vendor's.
        counts: filled in.
        poll_s: seconds between two looks at the batch.
        progress: called at every look.

    Raises:
        FatalRequestError: the budget does not allow it, or requests ended without an answer; all answers are kept.
    """
    unique = {request.key: request for request in requests}
    open_batches = store.folder / "batches"
    open_batches.mkdir(exist_ok=True)
    failed: dict[str, str] = {}
    before = {key for key, request in unique.items() if store.get(request) is not None}
    for path in sorted(open_batches.glob("*.json")):
        note = json.loads(path.read_bytes())
        if set(note["keys"]) <= set(unique):
            failed |= _collect(store, unique, note["batch"], path, api, poll_s, lambda: progress(counts))
    missing = [request for request in unique.values() if store.get(request) is None]
    estimate = sum(request.estimate_usd for request in missing)
    budget.pay(
        sum(record.outcome.usd + record.lost_usd for r in unique.values() if (record := store.get(r)) is not None)
    )
    if missing and not failed:
        budget.reserve(estimate)
        for request in missing:
            store.begin(request)
        try:
            batch = api.submit(missing)
        except TransientRequestError as error:
            raise FatalRequestError(f"the batch was not submitted ({error}): run again later") from None
        keys = sorted(request.key for request in missing)
        path = open_batches / f"{hashlib.sha256(batch.encode()).hexdigest()[:16]}.json"
        write_atomically(path, json.dumps({"batch": batch, "keys": keys}).encode())
        for request in missing:
            store.end(request)  # The batch is noted: a kill from here on loses nothing.
        failed |= _collect(store, unique, batch, path, api, poll_s, lambda: progress(counts))
    for key, request in unique.items():
        if (record := store.get(request)) is not None:
            counts.requests_from_store += key in before
            counts.requests_paid += key not in before
            counts.requests_refused += record.outcome.kind == "refusal"
            counts.spend_usd += record.outcome.usd
            counts.maybe_spent_usd += record.lost_usd
            counts.repeated_after_kill += record.kills
    progress(counts)
    if failed:
        reason = next(iter(failed.values()))
        raise FatalRequestError(
            f"{len(failed)} of {len(unique)} requests ended without an answer ({reason}): run again to ask these"
        )


def _patiently(call: Callable[[], T], poll_s: float) -> T:
    """Ask again where a failure may pass; asking after a batch costs nothing."""
    retrying = Retrying(
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait_fixed(poll_s),
        retry=retry_if_exception_type(TransientRequestError),
        reraise=True,
    )
    return retrying(call)


def _collect(
    store: RequestStore,
    unique: dict[str, PaidRequest],
    batch: str,
    path: Path,
    api: BatchApi,
    poll_s: float,
    look: Callable[[], None],
) -> dict[str, str]:
    """Wait for a batch, keep its answers, and forget it; returns the requests without one, and why."""
    try:
        while not _patiently(lambda: api.ended(batch), poll_s):
            look()
            time.sleep(poll_s)
        results = _patiently(lambda: list(api.results(batch)), poll_s)
    except TransientRequestError as error:
        raise FatalRequestError(f"{error}, {ATTEMPTS} times in a row: run again later to collect the batch") from None
    failed = {}
    for key, result in results:
        if key not in unique:
            continue
        if isinstance(result, Outcome):
            store.put(unique[key], result)
        else:
            failed[key] = result
    path.unlink()
    return failed
