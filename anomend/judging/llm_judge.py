"""What the LLM judges share: the question, the images at a stated size, the schema, the money.

The answers of one run are bought together (`buy`), several at a time; `judge` then reads them from the store.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from PIL import Image

from anomend.judging.protocol import BlindPair, PairVerdict, Reply
from anomend.purchasing.batch import Result, buy_in_batches
from anomend.purchasing.budget import Budget, check_permission
from anomend.purchasing.failures import FatalRequestError
from anomend.purchasing.models import refuse_retired
from anomend.purchasing.prices import Price, read_price
from anomend.purchasing.purchase import Counts, Patience, Purchase
from anomend.purchasing.requests import Outcome, PaidRequest, digest
from anomend.purchasing.store import RequestStore

SYSTEM = (
    "You compare two images that were generated for the same prompt, and judge which one is more natural. Count heads, "
    "arms, hands, fingers, legs and feet, and check that each is joined where it belongs, before you decide. The order "
    "of the images means nothing. Say 'tie' where neither is better. Give the reason in one short sentence."
)
TEXT_TOKENS = 900
"""Rough tokens of instructions, question and schema, for the estimate alone."""
PIXELS_A_TOKEN = 700
"""Rough pixels of an image that cost one token with either vendor."""
MAX_USD = "judge.max_usd"


@dataclass(frozen=True)
class LlmSettings:
    """How LLM judges are asked and paid."""

    model: str
    image_size: int
    """Longer side at which images are sent, pixels."""
    max_tokens: int
    """Tokens of an answer at most, its thinking included."""
    max_usd: float
    """For this judge."""
    concurrency: int
    timeout_s: float
    patience: Patience
    store: Path
    api_key: str | None
    may_spend: bool
    batch: bool = False
    """By the vendor's batch API: half the price, answers within a day."""
    poll_s: float = 30.0
    """Seconds between two looks at a batch."""
    say: Callable[[str], None] = print
    progress: Callable[[Counts], None] = lambda _: None
    counts: Counts = field(default_factory=Counts)


class Provider(Protocol):
    """One vendor's API; `content` of a request is made by `LlmJudge`, the rest is the vendor's."""

    name: str
    key_variable: str

    def connect(self, api_key: str, timeout_s: float) -> None:
        """Make the client."""

    def send(self, content: dict[str, Any], images: dict[str, bytes], price: Price) -> Outcome:
        """Put one request; raises the exceptions of `failures`."""

    def submit(self, requests: Sequence[PaidRequest]) -> str:
        """Submit a batch under the requests' keys; returns its id."""

    def ended(self, batch: str) -> bool:
        """Whether a batch is done."""

    def results(self, batch: str, price: Price) -> Iterator[Result]:
        """What came of each request of a batch."""

    def text(self, response: dict[str, Any]) -> str:
        """The answer's text in a stored response; empty where there is none."""

    def close(self) -> None:
        """Close the client."""


class LlmJudge:
    """A judge behind a paid API.

    Args:
        provider: the vendor.
        settings: model, images, money.

    Raises:
        ValueError: the model is retired or has no price.
    """

    def __init__(self, provider: Provider, settings: LlmSettings) -> None:
        refuse_retired(settings.model, f"judge.models.{provider.name}")
        self._provider, self.settings = provider, settings
        self.provider, self.model = provider.name, settings.model
        self.price = read_price(settings.model)
        self.store = RequestStore(settings.store)

    def request(self, pair: BlindPair) -> PaidRequest:
        """The request for a pair: the repeat's number is part of it, and nothing that tells which model drew what."""
        images = [_png(image, self.settings.image_size) for image in (pair.image_a, pair.image_b)]
        digests = [digest(content) for content, _ in images]
        content = {
            "provider": self.provider,
            "model": self.model,
            "system": SYSTEM,
            "question": question_text(pair),
            "images_sha256": digests,
            "image_size": self.settings.image_size,
            "schema": verdict_schema(),
            "max_tokens": self.settings.max_tokens,
            "repeat": pair.repeat,
        }
        tokens = sum(pixels for _, pixels in images) // PIXELS_A_TOKEN
        estimate = self.price.usd(TEXT_TOKENS, tokens, self.settings.max_tokens, batch=self.settings.batch)
        return PaidRequest(content, estimate, {name: png for name, (png, _) in zip(digests, images, strict=True)})

    def describe(self, requests: Iterable[PaidRequest]) -> tuple[str, int, float, float]:
        """A sentence with the plan; answers still to be bought; their estimate and what is spent so far, dollars."""
        unique = {request.key: request for request in requests}
        missing, estimate, spent = 0, 0.0, 0.0
        for request in unique.values():
            record = self.store.get(request)
            if record is None:
                missing, estimate, spent = (
                    missing + 1,
                    estimate + request.estimate_usd,
                    spent + self.store.lost(request),
                )
            else:
                spent += record.outcome.usd + record.lost_usd
        line = (
            f"{self.provider} ({self.model}): {len(unique)} answers, {missing} to buy for at most ${estimate:.2f} "
            f"(prices of {self.price.as_of}), ${spent:.2f} spent so far, {MAX_USD} = ${self.settings.max_usd:.2f}"
        )
        return line, missing, estimate, spent

    def buy(self, pairs: Iterable[BlindPair]) -> None:
        """Buy the answers that are not stored.

        Raises:
            ValueError: no leave to spend, no key, too small a budget, or a failure that every request would meet.
        """
        requests = [self.request(pair) for pair in pairs]
        line, missing, estimate, spent = self.describe(requests)
        self.settings.say(line)
        if missing:
            check_permission(self.settings.may_spend, estimate + spent, self.settings.max_usd, MAX_USD)
            if not self.settings.api_key:
                raise FatalRequestError(f"{self._provider.key_variable} is not set: put your key into the environment")
            self._provider.connect(self.settings.api_key, self.settings.timeout_s)
        budget = Budget(self.settings.max_usd, MAX_USD)
        counts, progress = self.settings.counts, self.settings.progress
        try:
            with self.store.lock():
                if self.settings.batch:
                    poll_s = self.settings.poll_s
                    buy_in_batches(self.store, budget, requests, self, counts, poll_s=poll_s, progress=progress)
                    return
                purchase = Purchase(self.store, budget, self.settings.concurrency, self.settings.patience)
                purchase.counts = counts
                purchase.run(requests, self._send, progress)
        finally:
            self._provider.close()

    def _send(self, request: PaidRequest) -> Outcome:
        return self._provider.send(request.content, request.attachments, self.price)

    def submit(self, requests: Sequence[PaidRequest]) -> str:
        """See `BatchApi`."""
        return self._provider.submit(requests)

    def ended(self, batch: str) -> bool:
        """See `BatchApi`."""
        return self._provider.ended(batch)

    def results(self, batch: str) -> Iterator[Result]:
        """See `BatchApi`."""
        return self._provider.results(batch, self.price)

    def judge(self, pair: BlindPair) -> Reply:
        """The stored answer to a pair.

        Raises:
            ValueError: it has not been bought.
        """
        request = self.request(pair)
        record = self.store.get(request)
        if record is None:
            raise ValueError(f"no answer of {self.model} is stored for {pair.prompt!r}: run the stage again")
        outcome = record.outcome
        details: dict[str, Any] = {"request": request.key, "request_id": outcome.request_id, "usd": outcome.usd}
        if "usage" in outcome.response:
            details["usage"] = outcome.response["usage"]
        if outcome.kind == "refusal":
            return Reply(f"refused: {outcome.reason}", details | {"refused": True})
        return Reply(self._provider.text(outcome.response), details)


def question_text(pair: BlindPair) -> str:
    """What is asked of a pair."""
    prompt = json.dumps(pair.prompt, ensure_ascii=False)
    if pair.part is None:
        return f"Both images are to show: {prompt}. Which one is better?"
    return (
        f"Both images are cut from larger ones that are to show: {prompt}. Look at the {pair.part} alone: in which "
        "image are they the more natural, in number, form and joints? Say 'tie' where neither is better."
    )


def verdict_schema() -> dict[str, Any]:
    """The JSON schema of `PairVerdict` in the part of the language that both vendors enforce: no limits on lengths."""
    schema = PairVerdict.model_json_schema()
    properties = {
        name: {key: value for key, value in rules.items() if key not in ("maxLength", "title")}
        for name, rules in schema["properties"].items()
    }
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _png(image: Any, size: int) -> tuple[bytes, int]:
    """The image scaled to `size` on its longer side, as PNG (lossless: both are equally sharp), and its pixels."""
    whole = Image.fromarray(image)
    scale = size / max(whole.size)
    width, height = (max(1, round(side * scale)) for side in whole.size)
    scaled = whole.resize((width, height), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    scaled.save(buffer, "PNG")
    return buffer.getvalue(), width * height
