"""What the LLM judges share: the request, with images at a stated size, and the purchase of its answer.

`buy` buys the answers of a run together, several at a time; `judge` then reads them from the store.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from anomend.judging.protocol import BlindPair, Reply
from anomend.judging.settings import LlmSettings
from anomend.judging.wording import SYSTEM, question_text, verdict_schema
from anomend.project.files import sha256_of
from anomend.purchasing.batch import Result
from anomend.purchasing.buyer import Buyer
from anomend.purchasing.prices import Price
from anomend.purchasing.requests import Outcome, PaidRequest

TEXT_TOKENS = 900
"""Rough tokens of instructions, question and schema, for the estimate only."""
PIXELS_PER_TOKEN = 700
"""Rough pixels of an image per token, with either vendor; for the estimate only."""


PARTS_FACTOR = 4
"""Questions with those about body parts over those without, about; for an estimate before there are images."""


def estimate_usd(price: Price, *, pixels: int, max_tokens: int, batch: bool) -> float:
    """Dollars that one answer may cost.

    Args:
        price: of the model.
        pixels: of both images together, as they are sent.
        max_tokens: of the answer at most.
        batch: by the batch API.
    """
    return price.usd(TEXT_TOKENS, pixels // PIXELS_PER_TOKEN, max_tokens, batch=batch)


class Provider(Protocol):
    """One vendor's API. `LlmJudge` makes the `content` of a request; the provider turns it into the vendor's format."""

    name: str
    most_requests: int
    most_bytes: int
    """Limits of one batch; see `BatchApi`."""

    def connect(self, api_key: str, timeout_s: float) -> None:
        """Make the client."""

    def send(self, content: dict[str, Any], images: dict[str, bytes], price: Price) -> Outcome:
        """Send one request; raises the exceptions of `failures`."""

    def size(self, request: PaidRequest) -> int:
        """Bytes of a request in a batch."""

    def submit(self, requests: Sequence[PaidRequest]) -> str:
        """Submit a batch under the requests' keys; returns its id."""

    def ended(self, batch: str) -> bool:
        """Whether a batch has ended."""

    def results(self, batch: str, price: Price) -> Iterator[Result]:
        """The result of each request of a batch."""

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
        self._provider, self.settings = provider, settings
        self.provider, self.model = provider.name, settings.purchase.model
        self.most_requests, self.most_bytes = provider.most_requests, provider.most_bytes
        self._buyer = Buyer(settings.purchase)

    def request(self, pair: BlindPair) -> PaidRequest:
        """The request about a pair: it holds the repeat's number, and nothing that tells which model drew what."""
        images = [_png(image, self.settings.image_size) for image in (pair.image_a, pair.image_b)]
        digests = [sha256_of(png) for png, _ in images]
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
        estimate = estimate_usd(
            self._buyer.price,
            pixels=sum(pixels for _, pixels in images),
            max_tokens=self.settings.max_tokens,
            batch=self.settings.batch,
        )
        return PaidRequest(content, estimate, {name: png for name, (png, _) in zip(digests, images, strict=True)})

    def buy(self, pairs: Iterable[BlindPair]) -> None:
        """Buy the answers that are not stored.

        Raises:
            ValueError: spending is not permitted, there is no key, the budget is too small, or a failure that every
                request would meet.
        """
        requests = [self.request(pair) for pair in pairs]
        plan = self._buyer.plan(requests)
        self._buyer.open(f"{self.provider} ({self.model}): {plan.requests} answers", plan, self._provider.connect)
        try:
            with self._buyer.store.lock():
                if self.settings.batch:
                    self._buyer.buy_in_batch(requests, self, self.settings.poll_s)
                else:
                    self._buyer.buy(requests, self._send)
        finally:
            self._provider.close()

    def _send(self, request: PaidRequest) -> Outcome:
        return self._provider.send(request.content, request.attachments, self._buyer.price)

    def size(self, request: PaidRequest) -> int:
        """See `BatchApi`; images are counted as base64 without encoding them."""
        bare = PaidRequest(request.content, 0.0, dict.fromkeys(request.attachments, b""))
        images = (len(request.attachments[name]) for name in request.content["images_sha256"])
        return self._provider.size(bare) + sum(4 * -(-size // 3) for size in images)

    def submit(self, requests: Sequence[PaidRequest]) -> str:
        """See `BatchApi`."""
        return self._provider.submit(requests)

    def ended(self, batch: str) -> bool:
        """See `BatchApi`."""
        return self._provider.ended(batch)

    def results(self, batch: str) -> Iterator[Result]:
        """See `BatchApi`."""
        return self._provider.results(batch, self._buyer.price)

    def judge(self, pair: BlindPair) -> Reply:
        """The stored answer about a pair.

        Raises:
            ValueError: it has not been bought.
        """
        request = self.request(pair)
        record = self._buyer.store.get(request)
        if record is None:
            raise ValueError(f"no answer of {self.model} is stored for {pair.prompt!r}: run the stage again")
        outcome = record.outcome
        details: dict[str, Any] = {"request": request.key, "request_id": outcome.request_id, "usd": outcome.usd}
        if "usage" in outcome.response:
            details["usage"] = outcome.response["usage"]
        if outcome.kind == "refusal":
            return Reply(f"refused: {outcome.reason}", details | {"refused": True})
        return Reply(self._provider.text(outcome.response), details)


def _png(image: NDArray[np.uint8], size: int) -> tuple[bytes, int]:
    """The image scaled to `size` on its longer side, as PNG (lossless, so both are equally sharp), and its pixels."""
    whole = Image.fromarray(image)
    scale = size / max(whole.size)
    width, height = (max(1, round(side * scale)) for side in whole.size)
    scaled = whole.resize((width, height), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    scaled.save(buffer, "PNG")
    return buffer.getvalue(), width * height
