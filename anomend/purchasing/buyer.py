"""The one way to buy: say the cost, require permission, stay within the budget, keep every answer, show progress."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from tqdm import tqdm

from anomend.purchasing.batch import BatchApi, buy_in_batches, open_batches
from anomend.purchasing.budget import Budget, check_permission
from anomend.purchasing.failures import FatalRequestError
from anomend.purchasing.models import refuse_retired
from anomend.purchasing.prices import read_price
from anomend.purchasing.purchase import Counts, Purchase, Send
from anomend.purchasing.requests import PaidRequest, Record
from anomend.purchasing.settings import PurchaseSettings
from anomend.purchasing.store import RequestStore


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a result still costs."""

    requests: int
    """All requests, those already answered included."""
    missing: int
    """Requests without a stored answer."""
    estimate_usd: float
    """Dollars that the missing ones may cost."""
    spent_usd: float
    """Dollars paid so far, lost answers included."""


class Buyer:
    """Buys the answers to requests of one model.

    Args:
        settings: the model, the money, the store.

    Raises:
        ValueError: the model is retired or has no price.
    """

    def __init__(self, settings: PurchaseSettings) -> None:
        refuse_retired(settings.model, settings.model_parameter, settings.retired_models)
        self.settings = settings
        self.price = read_price(settings.model, settings.prices)
        self.store = RequestStore(settings.store)
        self._budget = Budget(settings.max_usd, settings.budget_parameter)

    def plan(self, requests: Iterable[PaidRequest | float]) -> Plan:
        """What the requests still cost; equal requests count once.

        Args:
            requests: requests, and estimates in dollars of those that cannot be written yet.
        """
        count, missing, estimate, spent = 0, 0, 0.0, 0.0
        seen: set[str] = set()
        for request in requests:
            if isinstance(request, PaidRequest):
                if request.key in seen:
                    continue
                seen.add(request.key)
                if (record := self.store.get(request)) is not None:
                    count += 1
                    spent += record.outcome.usd + record.lost_usd
                    continue
                spent += self.store.lost(request)
            count += 1
            missing += 1
            estimate += request.estimate_usd if isinstance(request, PaidRequest) else request
        return Plan(requests=count, missing=missing, estimate_usd=estimate, spent_usd=spent)

    def describe(self, what: str, plan: Plan) -> str:
        """The plan in a sentence that starts with `what`."""
        settings = self.settings
        return (
            f"{what}: {plan.missing} to buy for about ${plan.estimate_usd:.2f} (prices of {self.price.as_of}), "
            f"${plan.spent_usd:.2f} spent so far, {settings.budget_parameter} = ${settings.max_usd:.2f}"
        )

    def open(self, what: str, plan: Plan, connect: Callable[[str, float], None]) -> None:
        """Say what the plan costs; if anything must be bought, check permission, budget and key, then connect.

        Args:
            what: what is bought, for the sentence.
            plan: what it costs.
            connect: makes the client from a key and a timeout in seconds.

        Raises:
            FatalRequestError: spending is not permitted, the plan does not fit the budget, or the key is not set.
        """
        tqdm.write(self.describe(what, plan), file=sys.stderr)
        if plan.missing:
            connect(self.check(plan), self.settings.timeout_s)

    def check(self, plan: Plan) -> str:
        """Refuse a plan that cannot be bought.

        Returns:
            The key.

        Raises:
            FatalRequestError: spending is not permitted, the plan does not fit the budget, or the key is not set.
        """
        settings = self.settings
        check_permission(
            allowed=settings.may_spend,
            estimate_usd=plan.estimate_usd + plan.spent_usd,
            max_usd=settings.max_usd,
            budget_parameter=settings.budget_parameter,
        )
        if not settings.api_key:
            raise FatalRequestError(f"{settings.key_variable} is not set: put your key into the environment")
        return settings.api_key

    def buy(self, requests: Sequence[PaidRequest], send: Send) -> list[Record]:
        """The answers to all requests, in their order, bought one by one; hold the store's lock. See `Purchase.run`.

        Raises:
            FatalRequestError: as `Purchase.run`, or some of them are in a batch that is not collected yet.
        """
        settings = self.settings
        missing = {request.key for request in requests if self.store.get(request) is None}
        if batches := open_batches(self.store, missing):
            batch, note = batches[0]
            raise FatalRequestError(
                f"the batch {batch} has some of these requests, which would be paid twice: set batch=true to collect"
                f" it, or delete {note} to send them one by one"
            )
        purchase = Purchase(
            self.store,
            self._budget,
            concurrency=settings.concurrency,
            patience=settings.patience,
            counts=settings.counts,
        )
        with self._bar(len(requests)) as progress:
            return purchase.run(requests, send, progress)

    def buy_in_batch(self, requests: Sequence[PaidRequest], api: BatchApi, poll_s: float) -> None:
        """Buy all answers by a batch API; hold the store's lock. See `buy_in_batches`."""
        with self._bar(len(requests)) as progress:
            buy_in_batches(
                store=self.store,
                budget=self._budget,
                requests=requests,
                api=api,
                counts=self.settings.counts,
                poll_s=poll_s,
                progress=progress,
            )

    @contextmanager
    def _bar(self, total: int) -> Iterator[Callable[[Counts], None]]:
        """A progress bar, and the function that moves it."""
        counts = self.settings.counts
        before = counts.requests_paid + counts.requests_from_store
        with tqdm(total=total, desc=f"answers of {self.settings.model}", unit="answer", leave=False) as bar:

            def show(so_far: Counts) -> None:
                bar.n = so_far.requests_paid + so_far.requests_from_store - before
                bar.set_postfix_str(f"{so_far.retries} retries, ${so_far.spend_usd:.2f}")

            yield show


def check_together(plans: Sequence[tuple[Buyer, Plan]]) -> None:
    """Before the first cent of several purchases: say what all of them cost together, and refuse if one cannot be made.

    Args:
        plans: each buyer with its plan.

    Raises:
        FatalRequestError: as `Buyer.check`, with the sum of all in the sentence about permission.
    """
    missing = [(buyer, plan) for buyer, plan in plans if plan.missing]
    estimate, spent = sum(plan.estimate_usd for _, plan in missing), sum(plan.spent_usd for _, plan in plans)
    if len(plans) > 1:
        count = sum(plan.missing for _, plan in missing)
        models = ", ".join(buyer.settings.model for buyer, _ in plans)
        tqdm.write(
            f"{models} together: {count} to buy for about ${estimate:.2f}, ${spent:.2f} spent so far", file=sys.stderr
        )
    for buyer, plan in missing:
        if not buyer.settings.may_spend:
            check_permission(
                allowed=False,
                estimate_usd=estimate,
                max_usd=buyer.settings.max_usd,
                budget_parameter=buyer.settings.budget_parameter,
            )
        buyer.check(plan)
