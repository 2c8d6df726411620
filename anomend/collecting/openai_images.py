"""Source `openai`: individuals drawn by an image model, first as the target prompt says and then in other contexts.

The paper made its images this way: one 'lying on the grass', then 'the same individual' elsewhere. Here, the first
image comes from `images.generate`, and each context from `images.edit` with the first image as the reference.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from anomend.collecting.image import OpenAISettings, Skipped, SourceImage, SourceSettings
from anomend.collecting.openai_client import ImageClient, ImageItem, image_bytes
from anomend.pictures.reader import read_picture
from anomend.purchasing.requests import PaidRequest, Record


def collect(prompts: Sequence[str], count: int, settings: SourceSettings) -> Iterator[SourceImage | Skipped]:
    """Buy images, or take them from the store if they were bought before.

    Args:
        prompts: target prompts, taken in turn by the individuals.
        count: number of images to request; refusals leave fewer.
        settings: its `openai`.

    Raises:
        ValueError: the model is retired or has no price, a template is missing, spending is not permitted, there is no
            key, the budget is too small, or a failure that every further request would meet. Paid answers are kept.
    """
    openai_settings = _settings(settings)
    client = ImageClient(openai_settings)
    items = list(_items(prompts, count, openai_settings.images.contexts))
    firsts = {item.individual: client.request(item) for item in items if item.context is None}
    plan = client.plan(items, firsts)
    client.buyer.open(client.title(items, firsts), plan, client.connect)
    records: dict[ImageItem, Record] = {}
    try:
        with client.buyer.store.lock():
            bought = dict(zip(firsts, client.buyer.buy(list(firsts.values()), client.send), strict=True))
            records.update({item: bought[item.individual] for item in items if item.context is None})
            edits = {
                item: client.request(item, image_bytes(bought[item.individual].outcome))
                for item in items
                if item.context is not None and bought[item.individual].outcome.kind == "answer"
            }
            records.update(zip(edits, client.buyer.buy(list(edits.values()), client.send), strict=True))
    finally:
        client.close()
    for item in items:
        name = f"individual {item.individual}, {item.text}"
        record = records.get(item)
        if record is None:
            yield Skipped(name, "its individual's first image was refused, so there is no reference")
        elif record.outcome.kind == "refusal":
            yield Skipped(name, f"refused: {record.outcome.reason}")
        else:
            yield _collected(item, record, openai_settings)


def describe_purchase(prompts: Sequence[str], count: int, settings: SourceSettings) -> tuple[str, float]:
    """What `collect` would request, in words, and the dollars that it would still cost; nothing is requested."""
    openai_settings = _settings(settings)
    client = ImageClient(openai_settings)
    items = list(_items(prompts, count, openai_settings.images.contexts))
    firsts = {item.individual: client.request(item) for item in items if item.context is None}
    plan = client.plan(items, firsts)
    return client.buyer.describe(client.title(items, firsts), plan), plan.estimate_usd


def _settings(settings: SourceSettings) -> OpenAISettings:
    if settings.openai is None:
        raise ValueError("the source `openai` needs its parameters: set collect.openai")
    return settings.openai


def _items(prompts: Sequence[str], count: int, contexts: Sequence[str]) -> Iterator[ImageItem]:
    for number in range(count):
        individual, place = divmod(number, 1 + len(contexts))
        prompt = prompts[individual % len(prompts)]
        context = contexts[place - 1] if place else None
        yield ImageItem(individual=individual, prompt=prompt, text=context or prompt, context=context)


def _collected(item: ImageItem, record: Record, settings: OpenAISettings) -> SourceImage:
    image, changes = read_picture(image_bytes(record.outcome))
    provenance = {
        "individual": item.individual,
        "model": settings.purchase.model,
        "request": record.request["prompt"],
        "request_id": record.outcome.request_id,
        "usd": round(record.outcome.usd, 6),
        "original": f"{PaidRequest(record.request, 0.0).key}.{settings.images.output_format}",
    }
    if changes:
        provenance["changes"] = list(changes)
    return SourceImage(image=image, text=item.text, prompt=item.prompt, provenance=provenance)
