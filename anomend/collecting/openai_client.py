"""The requests to OpenAI's image models: how they are written, estimated, sent and paid."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Formatter
from typing import Any

import openai
from openai.types import ImagesResponse

from anomend.collecting.image import OpenAISettings
from anomend.pictures.reader import read_picture
from anomend.project.files import sha256_of
from anomend.project.text_files import read_text
from anomend.purchasing.buyer import Buyer, Plan
from anomend.purchasing.failures import TransientRequestError, classify
from anomend.purchasing.requests import Outcome, PaidRequest

OUTPUT_TOKENS = {"low": 300, "medium": 1100, "high": 4200, "xhigh": 8500, "max": 17000, "auto": 4200}
"""Rough tokens of an image of 1024 x 1024, for the estimate only; the cost comes from the answer's usage."""
REFERENCE_TOKENS = 6500
"""Rough tokens of a reference image at high fidelity."""


@dataclass(frozen=True, kw_only=True)
class ImageItem:
    """One image to buy."""

    individual: int
    """Number of the individual, from 0."""
    prompt: str
    """The target prompt that the individual belongs to."""
    text: str
    """What the image shows, for its caption."""
    context: str | None
    """None: the first image of the individual."""


class ImageClient:
    """Writes the requests for images, and sends them."""

    def __init__(self, settings: OpenAISettings) -> None:
        self.purchase, self.images = settings.purchase, settings.images
        self.buyer = Buyer(settings.purchase)
        self.templates = {
            fields[0]: _template(Path(path), fields)
            for fields, path in (
                (("person", "prompt"), settings.images.individual_template),
                (("context",), settings.images.context_template),
            )
        }
        self.client: openai.OpenAI | None = None

    def request(self, item: ImageItem, reference: bytes | None = None) -> PaidRequest:
        """The request for an image; an edit needs its reference image."""
        people = self.images.people
        text = (
            self.templates["person"].format(person=people[item.individual % len(people)], prompt=item.prompt)
            if item.context is None
            else self.templates["context"].format(context=item.context)
        )
        # These names and values are the key of the stored answer: a change means paying again.
        content: dict[str, Any] = {
            "provider": "openai",
            "endpoint": "images.generate" if reference is None else "images.edit",
            # The same words for two individuals are two requests.
            "individual": item.individual,
            "model": self.purchase.model,
            "prompt": text,
            "size": self.images.size,
            "quality": self.images.quality,
            "output_format": self.images.output_format,
        }
        if reference is None:
            return PaidRequest(content, self._estimate(edit=False))
        content["image_sha256"] = sha256_of(reference)
        if self.images.input_fidelity is not None:
            content["input_fidelity"] = self.images.input_fidelity
        return PaidRequest(content, self._estimate(edit=True), {content["image_sha256"]: reference})

    def _estimate(self, *, edit: bool) -> float:
        width, height = map(int, self.images.size.split("x"))
        output = round(OUTPUT_TOKENS[self.images.quality] * max(1.0, width * height / 1024**2))
        return self.buyer.price.usd(300, REFERENCE_TOKENS if edit else 0, output)

    def plan(self, items: Sequence[ImageItem], firsts: dict[int, PaidRequest]) -> Plan:
        """What the images still cost. An edit has no request before its reference is bought, but an estimate."""
        requests: list[PaidRequest | float] = []
        for item in items:
            first = firsts[item.individual]
            record = self.buyer.store.get(first)
            if item.context is None:
                requests.append(first)
            elif record is None:
                requests.append(self._estimate(edit=True))
            elif record.outcome.kind == "answer":
                requests.append(self.request(item, image_bytes(record.outcome)))
        return self.buyer.plan(requests)

    def title(self, items: Sequence[ImageItem], firsts: dict[int, PaidRequest]) -> str:
        edits = sum(item.context is not None for item in items)
        return (
            f"{len(items)} images from {self.purchase.model} ({len(firsts)} individuals, {edits} edits), "
            f"{self.images.size}, quality {self.images.quality}"
        )

    def connect(self, api_key: str, timeout_s: float) -> None:
        """Make the client, without its retries: only ours know the budget and the store."""
        self.client = openai.OpenAI(api_key=api_key, max_retries=0, timeout=timeout_s)

    def send(self, request: PaidRequest) -> Outcome:
        """Send one request; raises the exceptions of `failures`."""
        assert self.client is not None
        sent = {name: request.content[name] for name in ("model", "prompt", "size", "quality", "output_format")}
        try:
            if request.content["endpoint"] == "images.generate":
                raw = self.client.images.with_raw_response.generate(n=1, **sent)
            else:
                reference = request.attachments[request.content["image_sha256"]]
                if "input_fidelity" in request.content:
                    sent["input_fidelity"] = request.content["input_fidelity"]
                file = (f"reference.{self.images.output_format}", reference, f"image/{self.images.output_format}")
                raw = self.client.images.with_raw_response.edit(n=1, image=file, **sent)
            response = raw.parse()
        except Exception as error:
            raise classify(error, "OpenAI", self.purchase.key_variable) from None
        content = response.model_dump(mode="json", exclude_none=True)
        outcome = Outcome(kind="answer", response=content, usd=self._paid(response, request), request_id=raw.request_id)
        try:
            read_picture(image_bytes(outcome))
        except (ValueError, LookupError, binascii.Error):
            raise TransientRequestError("OpenAI's image cannot be read", maybe_paid=True) from None
        return outcome

    def _paid(self, response: ImagesResponse, request: PaidRequest) -> float:
        """Dollars, from the usage that the answer states; if it states none, the estimate."""
        usage = response.usage
        if usage is None:
            return request.estimate_usd
        details = usage.input_tokens_details
        return self.buyer.price.usd(details.text_tokens, details.image_tokens, usage.output_tokens)

    def close(self) -> None:
        if self.client is not None:
            self.client.close()


def image_bytes(outcome: Outcome) -> bytes:
    """The image in an answer."""
    return base64.b64decode(outcome.response["data"][0]["b64_json"], validate=True)


def _template(path: Path, fields: Sequence[str]) -> str:
    """The text of a template, which must use the first of `fields` and may use the others, as they are named.

    Raises:
        ValueError: the file is missing or cannot be read, or has other braces.
    """
    if not path.exists():
        raise ValueError(f"{path} is missing: restore it from git, or fix collect.openai")
    text, allowed = read_text(path).strip(), " and ".join(f"{{{field}}}" for field in fields)
    try:
        parts = [part[1:] for part in Formatter().parse(text) if part[1] is not None]
    except ValueError:
        parts = [("", "", None)]
    if any(field not in fields or form or conversion for field, form, conversion in parts):
        raise ValueError(f"{path} has braces that hold no placeholder: it may use {allowed}")
    if f"{{{fields[0]}}}" not in text:
        raise ValueError(f"{path} does not use {{{fields[0]}}}: put it where the {fields[0]} belongs")
    return text
