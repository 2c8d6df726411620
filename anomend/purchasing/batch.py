"""Buying by a vendor's batch API: half the price, answers within a day.

A submitted batch is noted in the store until its answers are kept. A run that was killed, or stopped by its user,
collects that batch when it is started again, instead of paying for another one.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_fixed

from anomend.project.files import sha256_of, write_whole
from anomend.purchasing.batch_limits import BatchLimits
from anomend.purchasing.budget import Budget
from anomend.purchasing.failures import (
    FailedBatch,
    FatalRequestError,
    TransientRequestError,
    UnknownRequestError,
)
from anomend.purchasing.purchase import Counts
from anomend.purchasing.requests import Outcome, PaidRequest
from anomend.purchasing.store import RequestStore

T = TypeVar("T")
ATTEMPTS = 6
BATCHES = "batches"
"""Folder of the notes about submitted batches, in the store."""
MOST_BATCHES = 3
"""Batches in which one request is sent at most; what failed so often fails again."""
Result = tuple[str, Outcome | str]
"""A request's key, and its outcome or the reason why there is none."""


class BatchApi(Protocol):
    """A vendor's batch API; its methods raise the exceptions of `failures`."""

    limits: BatchLimits
    """Of one batch."""

    def size(self, request: PaidRequest) -> int:
        """Bytes of a request in a batch, rather too many than too few."""

    def submit(self, requests: Sequence[PaidRequest]) -> str:
        """Submit requests under their keys; returns the batch's id."""

    def ended(self, batch: str) -> bool:
        """Whether a batch has ended, with or without success."""

    def results(self, batch: str) -> Iterator[Result]:
        """The result of each request of a batch that has ended; raises `FailedBatch` if it failed as a whole."""


def split(requests: Sequence[PaidRequest], api: BatchApi) -> list[list[PaidRequest]]:
    """The requests in their order, as few batches as fit the vendor's limits; one that alone is too large is alone."""
    parts: list[list[PaidRequest]] = []
    total = 0
    for request in requests:
        size = api.size(request)
        if not parts or len(parts[-1]) == api.limits.requests or total + size > api.limits.bytes:
            parts.append([])
            total = 0
        parts[-1].append(request)
        total += size
    return parts


def open_batches(store: RequestStore, keys: Collection[str]) -> list[tuple[str, Path]]:
    """Batches with any of the requests that were submitted and not collected: their ids and notes."""
    notes = {path: json.loads(path.read_bytes()) for path in sorted((store.folder / BATCHES).glob("*.json"))}
    return [(note["batch"], path) for path, note in notes.items() if not set(note["keys"]).isdisjoint(keys)]


def buy_in_batches(
    store: RequestStore,
    budget: Budget,
    requests: Sequence[PaidRequest],
    api: BatchApi,
    *,
    counts: Counts,
    poll_s: float,
    progress: Callable[[Counts], None] = lambda _: None,
) -> None:
    """Buy the answers that are not stored, in as few batches as the vendor allows; hold the store's lock.

    Args:
        store: where answers are kept.
        budget: what may be spent; all batches together must fit.
        requests: what to send; those with a stored answer are not sent again.
        api: the vendor's batch API.
        counts: filled in.
        poll_s: seconds between two checks of the batch.
        progress: called at every check, and at the end.

    Raises:
        FatalRequestError: the budget does not allow it, the vendor has no such batch any more, a batch failed as a
            whole, or requests ended without an answer, those among them that a finished batch does not mention; all
            others are kept.
    """
    unique = {request.key: request for request in requests}

    def collect(batch: str, note: Path) -> dict[str, str]:
        """Wait for a batch, keep the answers to these requests, note the others; returns why some have none, by key."""
        keys = json.loads(note.read_bytes())["keys"]
        failed = {key: "the finished batch has no result for it" for key in keys if key in unique}
        wanted, others = set(failed), [key for key in keys if key not in unique]
        try:
            results = _results(api=api, batch=batch, poll_s=poll_s, checked=lambda: progress(counts))
        except FailedBatch as error:
            note.unlink()
            return dict.fromkeys(failed, f"the batch failed: {error}")
        except UnknownRequestError:
            raise FatalRequestError(
                f"the vendor does not have the batch {batch} (they keep results for about 30 days, and for the account"
                f" that sent it alone): set that account's key, or delete {note}, and its {len(keys)} requests are sent"
                " and paid again"
            ) from None
        for key, result in results:
            if key in wanted and isinstance(result, Outcome):
                store.put(unique[key], result)
                failed.pop(key, None)
            elif key in wanted:
                failed[key] = str(result)
        for key in failed:
            store.batch_failed(unique[key])
        if others:
            # Of an earlier run with more pairs, which may come back for them.
            write_whole(note, json.dumps({"batch": batch, "keys": others}))
        else:
            note.unlink()
        return failed

    failed: dict[str, str] = {}
    before = {key for key, request in unique.items() if store.get(request) is not None}
    for batch, path in open_batches(store, unique):
        failed |= collect(batch, path)
    missing = [request for request in unique.values() if store.get(request) is None]
    estimate = sum(request.estimate_usd for request in missing)
    budget.pay(
        sum(record.outcome.usd + record.lost_usd for r in unique.values() if (record := store.get(r)) is not None)
    )
    if missing and not failed:
        _refuse_hopeless(store, missing)
        budget.reserve(estimate)
        notes = []
        for part in split(missing, api):
            batch = _submit(store, part, api)
            notes.append((batch, store.folder / BATCHES / f"{sha256_of(batch)[:16]}.json"))
            write_whole(notes[-1][1], json.dumps({"batch": batch, "keys": sorted(request.key for request in part)}))
            for request in part:
                store.end(request)  # The batch is noted, so a kill from here on loses nothing.
        for batch, path in notes:
            failed |= collect(batch, path)
        bought = [record for request in missing if (record := store.get(request)) is not None]
        budget.settle(estimate, sum(record.outcome.usd + record.lost_usd for record in bought))
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
        reasons = Counter(failed.values())
        told = "; ".join(f"{count} times {reason}" for reason, count in reasons.most_common(3))
        if len(reasons) == 1:
            told = next(iter(reasons))
        raise FatalRequestError(
            f"{len(failed)} of {len(unique)} requests ended without an answer ({told}): run again to send these"
        )


def _refuse_hopeless(store: RequestStore, missing: Sequence[PaidRequest]) -> None:
    """Refuse to send requests in yet another batch that have failed in `MOST_BATCHES`."""
    hopeless = [request for request in missing if store.failed_batches(request) >= MOST_BATCHES]
    if hopeless:
        raise FatalRequestError(
            f"{len(hopeless)} requests ended without an answer in {MOST_BATCHES} batches: set batch=false to send what"
            " is missing one by one, which tells the reason"
        )


def _submit(store: RequestStore, part: Sequence[PaidRequest], api: BatchApi) -> str:
    """Submit a batch, with its requests in flight meanwhile; returns its id."""
    for request in part:
        store.begin(request)
    try:
        return api.submit(part)
    except TransientRequestError as error:
        raise FatalRequestError(f"the batch was not submitted ({error}): run again later") from None
    except FatalRequestError:
        for request in part:
            store.end(request)  # The vendor took nothing.
        raise


def _patiently(call: Callable[[], T], poll_s: float) -> T:
    """Call again while failures may pass; checking a batch costs nothing."""
    retrying = Retrying(
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait_fixed(poll_s),
        retry=retry_if_exception_type(TransientRequestError),
        reraise=True,
    )
    return retrying(call)


def _results(*, api: BatchApi, batch: str, poll_s: float, checked: Callable[[], None]) -> list[Result]:
    """The results of a batch, as soon as it has ended."""
    try:
        while not _patiently(lambda: api.ended(batch), poll_s):
            checked()
            time.sleep(poll_s)
        return _patiently(lambda: list(api.results(batch)), poll_s)
    except TransientRequestError as error:
        raise FatalRequestError(f"{error}, {ATTEMPTS} times in a row: run again later to collect the batch") from None
