"""Source `openai`: individuals drawn by an image model, each lying where the prompt says and then in other contexts.

The paper made its images so: one of 'lying on the grass', then 'the same individual' elsewhere. Today's way is a first
image by `images.generate`, and `images.edit` with it as the reference for every context.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openai
from openai.types import ImagesResponse

from anomend.collecting.image import Skipped, SourceImage
from anomend.collecting.openai_settings import KEY, OpenAISettings
from anomend.collecting.pictures import read_picture
from anomend.purchasing.budget import Budget, check_permission
from anomend.purchasing.failures import FatalRequestError, TransientRequestError, classify
from anomend.purchasing.models import refuse_retired
from anomend.purchasing.prices import Price, read_price
from anomend.purchasing.purchase import Purchase
from anomend.purchasing.requests import Outcome, PaidRequest, Record, digest
from anomend.purchasing.store import RequestStore

OUTPUT_TOKENS = {"low": 300, "medium": 1100, "high": 4200, "xhigh": 8500, "max": 17000, "auto": 4200}
"""Rough tokens of an image of 1024 x 1024, for the estimate alone; what is paid comes from the answer's usage."""
REFERENCE_TOKENS = 6500
"""Rough tokens of a reference image at high fidelity."""
MAX_USD = "collect.max_usd"


@dataclass(frozen=True)
class _Wanted:
    """One image to be asked for."""

    individual: int
    prompt: str
    """The target prompt that the individual belongs to."""
    text: str
    """What the image shows, as its caption says."""
    context: str | None
    """None: the first image of the individual."""


def collect_openai(prompts: Sequence[str], count: int, settings: OpenAISettings) -> Iterator[SourceImage | Skipped]:
    """Buy images, or take them from the store where they were bought before.

    Args:
        prompts: target prompts, taken in turn by the individuals.
        count: images to ask for; refusals leave fewer.
        settings: the model, the money, the store.

    Raises:
        ValueError: a retired model, no price, no template, no key, no leave to spend, too small a budget, or a failure
            that would meet every further request; what is paid is kept.
    """
    shop = _Shop(settings)
    wanted = list(_wanted(prompts, count, settings.contexts))
    firsts = {item.individual: shop.request(item) for item in wanted if item.context is None}
    shop.agree(wanted, firsts)
    records: dict[_Wanted, Record] = {}
    try:
        with shop.store.lock():
            bought = dict(zip(firsts, shop.buy(list(firsts.values())), strict=True))
            records.update({item: bought[item.individual] for item in wanted if item.context is None})
            edits = {
                item: shop.request(item, _image(bought[item.individual]))
                for item in wanted
                if item.context is not None and bought[item.individual].outcome.kind == "answer"
            }
            records.update(zip(edits, shop.buy(list(edits.values())), strict=True))
    finally:
        shop.close()
    for item in wanted:
        name = f"individual {item.individual}, {item.text}"
        record = records.get(item)
        if record is None:
            yield Skipped(name, "its individual's first image was refused, so that there is no reference")
        elif record.outcome.kind == "refusal":
            yield Skipped(name, f"refused: {record.outcome.reason}")
        else:
            yield _collected(item, record, settings)


def plan(prompts: Sequence[str], count: int, settings: OpenAISettings) -> str:
    """What a run would ask for and cost, without asking."""
    shop = _Shop(settings)
    wanted = list(_wanted(prompts, count, settings.contexts))
    return shop.describe(wanted, {item.individual: shop.request(item) for item in wanted if item.context is None})


def _wanted(prompts: Sequence[str], count: int, contexts: Sequence[str]) -> Iterator[_Wanted]:
    for number in range(count):
        individual, place = divmod(number, 1 + len(contexts))
        prompt = prompts[individual % len(prompts)]
        context = contexts[place - 1] if place else None
        yield _Wanted(individual, prompt, context or prompt, context)


class _Shop:
    """Requests, their estimates, and the client that puts them."""

    def __init__(self, settings: OpenAISettings) -> None:
        refuse_retired(settings.model, "collect.openai.model")
        self.settings = settings
        self.price: Price = read_price(settings.model)
        self.templates = {
            name: _template(path, name)
            for name, path in (("person", settings.individual_template), ("context", settings.context_template))
        }
        self.store = RequestStore(settings.store)
        self.client: openai.OpenAI | None = None
        self.purchase = Purchase(self.store, Budget(settings.max_usd, MAX_USD), settings.concurrency, settings.patience)
        self.purchase.counts = settings.counts

    def request(self, item: _Wanted, reference: bytes | None = None) -> PaidRequest:
        """The request for an image; an edit needs its reference image."""
        people = self.settings.people
        text = (
            self.templates["person"].format(person=people[item.individual % len(people)], prompt=item.prompt)
            if item.context is None
            else self.templates["context"].format(context=item.context)
        )
        content: dict[str, Any] = {
            "provider": "openai",
            "endpoint": "images.generate" if reference is None else "images.edit",
            # The same words for two individuals are two requests.
            "individual": item.individual,
            "model": self.settings.model,
            "prompt": text,
            "size": self.settings.size,
            "quality": self.settings.quality,
            "output_format": self.settings.output_format,
        }
        if reference is None:
            return PaidRequest(content, self._estimate(edit=False))
        content["image_sha256"] = digest(reference)
        if self.settings.input_fidelity is not None:
            content["input_fidelity"] = self.settings.input_fidelity
        return PaidRequest(content, self._estimate(edit=True), {content["image_sha256"]: reference})

    def _estimate(self, *, edit: bool) -> float:
        width, height = map(int, self.settings.size.split("x"))
        output = round(OUTPUT_TOKENS[self.settings.quality] * max(1.0, width * height / 1024**2))
        return self.price.usd(300, REFERENCE_TOKENS if edit else 0, output)

    def sums(self, wanted: Sequence[_Wanted], firsts: dict[int, PaidRequest]) -> tuple[int, float, float]:
        """Requests still to be put, what they may cost, and what the result has cost so far, both in dollars."""
        missing, estimate, spent = 0, 0.0, 0.0
        for item in wanted:
            first = firsts[item.individual]
            record = self.store.get(first)
            request: PaidRequest | None = first
            if item.context is not None:
                if record is not None and record.outcome.kind == "refusal":
                    continue
                request = self.request(item, _image(record)) if record is not None else None
            record = self.store.get(request) if request is not None else None
            if record is not None:
                spent += record.outcome.usd + record.lost_usd
            else:
                missing += 1
                estimate += request.estimate_usd if request is not None else self._estimate(edit=True)
                spent += self.store.lost(request) if request is not None else 0.0
        return missing, estimate, spent

    def describe(self, wanted: Sequence[_Wanted], firsts: dict[int, PaidRequest]) -> str:
        missing, estimate, spent = self.sums(wanted, firsts)
        edits = sum(item.context is not None for item in wanted)
        return (
            f"{len(wanted)} images from {self.settings.model} ({len(firsts)} individuals, {edits} edits), "
            f"{self.settings.size}, quality {self.settings.quality}: {missing} to buy for about ${estimate:.2f} "
            f"(prices of {self.price.as_of}), ${spent:.2f} spent so far, {MAX_USD} = ${self.settings.max_usd:.2f}"
        )

    def agree(self, wanted: Sequence[_Wanted], firsts: dict[int, PaidRequest]) -> None:
        """Print the estimate, and refuse to start without leave, money or key; with nothing to buy, none is needed."""
        missing, estimate, spent = self.sums(wanted, firsts)
        self.settings.say(self.describe(wanted, firsts))
        if missing == 0:
            return
        check_permission(self.settings.may_spend, estimate + spent, self.settings.max_usd, MAX_USD)
        if not self.settings.api_key:
            raise FatalRequestError(f"{KEY} is not set: put your key into the environment")
        # Our own retries know the budget and the store; the client's do not.
        self.client = openai.OpenAI(api_key=self.settings.api_key, max_retries=0, timeout=self.settings.timeout_s)

    def buy(self, requests: Sequence[PaidRequest]) -> list[Record]:
        return self.purchase.run(requests, self._send, self.settings.progress)

    def _send(self, request: PaidRequest) -> Outcome:
        if self.client is None:
            raise FatalRequestError(f"{KEY} is not set: put your key into the environment")
        sent = {name: request.content[name] for name in ("model", "prompt", "size", "quality", "output_format")}
        try:
            if request.content["endpoint"] == "images.generate":
                raw = self.client.images.with_raw_response.generate(n=1, **sent)
            else:
                reference = request.attachments[request.content["image_sha256"]]
                if "input_fidelity" in request.content:
                    sent["input_fidelity"] = request.content["input_fidelity"]
                file = (f"reference.{self.settings.output_format}", reference, f"image/{self.settings.output_format}")
                raw = self.client.images.with_raw_response.edit(n=1, image=file, **sent)
            response = raw.parse()
        except Exception as error:
            raise classify(error, "OpenAI", KEY) from None
        content = response.model_dump(mode="json", exclude_none=True)
        outcome = Outcome(kind="answer", response=content, usd=self._paid(response, request), request_id=raw.request_id)
        try:
            read_picture(_bytes(outcome))
        except (ValueError, LookupError, binascii.Error):
            raise TransientRequestError("OpenAI's image cannot be read", maybe_paid=True) from None
        return outcome

    def _paid(self, response: ImagesResponse, request: PaidRequest) -> float:
        """By the answer's own usage; without one, the estimate."""
        usage = response.usage
        if usage is None:
            return request.estimate_usd
        details = usage.input_tokens_details
        return self.price.usd(details.text_tokens, details.image_tokens, usage.output_tokens)

    def close(self) -> None:
        if self.client is not None:
            self.client.close()


def _template(path: Path, name: str) -> str:
    try:
        text = path.read_text(encoding="utf-8").strip()
        text.format(person="", prompt="", context="")
    except FileNotFoundError:
        raise ValueError(f"{path} is missing: restore it from git, or mend collect.openai") from None
    except (KeyError, IndexError, ValueError):
        raise ValueError(f"{path} has braces that are no placeholder: it may use {{{name}}} and {{prompt}}") from None
    if f"{{{name}}}" not in text:
        raise ValueError(f"{path} does not use {{{name}}}: put it where the {name} belongs")
    return text


def _bytes(outcome: Outcome) -> bytes:
    return base64.b64decode(outcome.response["data"][0]["b64_json"], validate=True)


def _image(record: Record) -> bytes:
    return _bytes(record.outcome)


def _collected(item: _Wanted, record: Record, settings: OpenAISettings) -> SourceImage:
    picture, changes = read_picture(_image(record))
    provenance = {
        "individual": item.individual,
        "model": settings.model,
        "request": record.request["prompt"],
        "request_id": record.outcome.request_id,
        "usd": round(record.outcome.usd, 6),
        "original": f"{PaidRequest(record.request, 0.0).key}.{settings.output_format}",
    }
    return SourceImage(picture, item.text, item.prompt, provenance | ({"changes": list(changes)} if changes else {}))
