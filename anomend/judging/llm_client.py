"""Questions to a model behind a paid API: each answer is bought once, and one that cannot be read once more.

`buy` buys the answers of a run together, several at a time or by batches; `reply` then reads them from the store.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from tqdm import tqdm

from anomend.judging.llm_requests import EncodedImages, Encoder, LlmQuestion, estimate_usd
from anomend.judging.protocol import CUT_OFF, REFUSED, Reply
from anomend.judging.provider import Provider, ProviderBatches
from anomend.judging.settings import LlmSettings
from anomend.purchasing.buyer import Buyer, Plan
from anomend.purchasing.failures import FatalRequestError
from anomend.purchasing.requests import Outcome, PaidRequest, Record


class LlmClient:
    """A model behind a paid API.

    Args:
        provider: the vendor.
        settings: model, images, money.

    Raises:
        ValueError: the model is retired or has no price.
    """

    def __init__(self, provider: Provider, settings: LlmSettings) -> None:
        self.provider, self.settings = provider, settings
        self.buyer = Buyer(settings.purchase)
        self.batches = ProviderBatches(provider, self.buyer.price)
        self._encoder = Encoder(settings.image_size)

    def request(self, question: LlmQuestion, *, again: bool = False) -> PaidRequest:
        """The request of a question; `again` is the one that follows an answer which cannot be read."""
        settings = self.settings
        content = question.content(
            provider=self.provider.name,
            model=settings.purchase.model,
            image_size=settings.image_size,
            max_tokens=settings.max_tokens,
        )
        estimate = estimate_usd(
            self.buyer.price,
            pixels=sum(image.pixels(settings.image_size) for image in question.images),
            max_tokens=settings.max_tokens,
            batch=settings.batch,
        )
        asked_again = {"asked_again": True} if again else {}
        return PaidRequest(content | asked_again, estimate, EncodedImages(question.images, self._encoder))

    def plan(self, questions: Sequence[LlmQuestion]) -> Plan:
        """What the answers still cost. No image is encoded for it."""
        return self.buyer.plan(map(self.request, questions))

    def buy(self, questions: Sequence[LlmQuestion]) -> None:
        """Buy the answers that are not stored; then ask once more where an answer cannot be read.

        A refusal is an answer, and not asked again. Whether there is money for the second answers, decides about these
        alone: without it they are left out, and the user is told.

        Raises:
            ValueError: spending is not permitted, there is no key, the budget is too small, or a failure that every
                request would meet.
        """
        requests = [self.request(question) for question in questions]
        plan = self.buyer.plan(requests)
        self.buyer.open(f"{self._name()}: {plan.requests} answers", plan, self.provider.connect)
        try:
            with self.buyer.store.lock():
                self._send(requests)
                self._send_again(questions, requests)
        finally:
            self.provider.close()

    def reply(self, question: LlmQuestion) -> Reply:
        """The stored answer to a question: the second one, where the first could not be read.

        Raises:
            ValueError: it has not been bought.
        """
        request, again = self.request(question), self.request(question, again=True)
        record = self.buyer.store.get(request)
        if record is None:
            raise ValueError(f"no answer of {self._name()} is stored for a question: run the stage again")
        second = self.buyer.store.get(again) if self._problem(question, record) else None
        used = second or record
        details: dict[str, Any] = {
            "request": (again if second else request).key,
            "request_id": used.outcome.request_id,
            "usd": record.outcome.usd + (second.outcome.usd if second else 0.0),
        }
        if "usage" in used.outcome.response:
            details["usage"] = used.outcome.response["usage"]
        if second:
            details["asked_again"] = True
        refused = used.outcome.kind == "refusal"
        raw = "" if refused else self.provider.text(used.outcome.response)
        return Reply(raw, details | ({"refused": True} if refused else {}), self._problem(question, used))

    def _send(self, requests: Sequence[PaidRequest]) -> None:
        if self.settings.batch:
            self.buyer.buy_in_batch(requests, self.batches, self.settings.poll_s)
        else:
            self.buyer.buy(requests, self._send_one)

    def _send_one(self, request: PaidRequest) -> Outcome:
        return self.provider.send(request.content, request.attachments, self.buyer.price)

    def _send_again(self, questions: Sequence[LlmQuestion], requests: Sequence[PaidRequest]) -> None:
        unreadable: dict[str, tuple[PaidRequest, str]] = {}
        for question, request in zip(questions, requests, strict=True):
            record = self.buyer.store.get(request)
            if record is not None and record.outcome.kind == "answer" and (problem := self._problem(question, record)):
                unreadable[request.key] = self.request(question, again=True), problem
        if not unreadable:
            return
        again = [request for request, _ in unreadable.values()]
        plan = self.buyer.plan([*requests, *again])
        told = (
            f"{self._name()}: {len(again)} of {len({request.key for request in requests})} answers cannot be read "
            f"({counted(problem for _, problem in unreadable.values())})"
        )
        if plan.missing:
            try:
                key = self.buyer.check(plan)
            except FatalRequestError as error:
                tqdm.write(f"{told}. They are not asked again: {error}", file=sys.stderr)
                again = [request for request in again if self.buyer.store.get(request) is not None]
            else:
                tqdm.write(f"{told}: asked again once, for about ${plan.estimate_usd:.2f}", file=sys.stderr)
                self.provider.close()
                self.provider.connect(key, self.settings.purchase.timeout_s)
        self._send(again)

    def _problem(self, question: LlmQuestion, record: Record) -> str | None:
        """Why an answer cannot be used; None if it can."""
        outcome = record.outcome
        if outcome.kind == "refusal":
            return f"{REFUSED}: {outcome.reason}"
        problem = question.problem_of(self.provider.text(outcome.response))
        if problem and self.provider.cut_off(outcome.response):
            return f"{CUT_OFF} at {self.settings.max_tokens} tokens: raise judge.max_tokens"
        return problem

    def _name(self) -> str:
        return f"{self.provider.name} ({self.settings.purchase.model})"


def counted(problems: Iterable[str]) -> str:
    """The most frequent problems with their numbers."""
    return "; ".join(f"{count} times {problem}" for problem, count in Counter(problems).most_common(3))
