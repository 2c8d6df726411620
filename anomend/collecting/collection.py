"""Instance images from one source or several, in one image folder."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from tqdm import tqdm

from anomend.collecting.image import (
    BaseSettings,
    FolderSettings,
    OpenAISettings,
    PaperSettings,
    Skipped,
    SourceImage,
    SourceSettings,
)
from anomend.collecting.record import FILES_TABLE, CollectionRecord
from anomend.collecting.registry import check_source, find_source, module_of
from anomend.params.images import CollectParams
from anomend.params.params import Params
from anomend.pictures.image_sets import ImageFolderWriter
from anomend.project.checkouts import found
from anomend.purchasing.environment import purchase_settings
from anomend.purchasing.settings import PurchaseSettings


@dataclass(frozen=True, kw_only=True)
class Collection:
    """What was collected."""

    metrics: dict[str, Any]
    """images, spend_usd, requests_paid, requests_from_store, sources (images by source), skipped, left_out (by kind of
    reason), captions (images by where the caption is from), prompts (images by target prompt); and all other counts of
    a purchase, if there was one."""
    skipped: list[dict[str, str]]
    """source, name and reason of the first that were left out; `FILES_TABLE` in the image folder has all."""


def image_purchase(
    params: CollectParams, *, environment: Mapping[str, str], project: Path, prices: Path, retired_models: Path
) -> PurchaseSettings:
    """How images are bought; see `purchase_settings`."""
    return purchase_settings(
        "openai",
        model=params.openai.model,
        model_parameter="collect.openai.model",
        max_usd=params.max_usd,
        budget_parameter="collect.max_usd",
        requests=params.openai.requests,
        environment=environment,
        project=project,
        prices=prices,
        retired_models=retired_models,
    )


def base_settings(params: Params, *, store: Path, code: str) -> BaseSettings | None:
    """How the base is sampled for the source `base`; None where it is not in use.

    Args:
        params: the parameters in force.
        store: folder of the store of samples.
        code: fingerprint of the code that samples: `sampler` in resolved/code.json.
    """
    if "base" not in params.collect.counts:
        return None
    return BaseSettings(
        selecting=params.collect.base,
        base=params.base,
        sampling=params.sample,
        detectors=params.detectors,
        store=store,
        code=code,
        ahead=params.sampled_prompts(),
    )


def source_settings(
    params: CollectParams,
    *,
    published: Path,
    tables: Path,
    purchase: PurchaseSettings,
    base: BaseSettings | None = None,
) -> SourceSettings:
    """What the sources need.

    Args:
        params: the parameters.
        published: folder of the paper's published images; holds `instance/`.
        tables: folder of the tables about them, images.csv and captions.csv.
        purchase: how images are bought from OpenAI.
        base: how the base is sampled; None where it is not a source.
    """
    return SourceSettings(
        seed=params.seed,
        folder=FolderSettings(path=found(params.folder.path), caption=params.folder.caption),
        paper=PaperSettings(path=published, digests=tables / "images.csv", captions=tables / "captions.csv"),
        openai=OpenAISettings(purchase=purchase, images=params.openai),
        base=base,
    )


def collect(prompts: Sequence[str], params: CollectParams, settings: SourceSettings, *, folder: Path) -> Collection:
    """Collect images from every source into one image folder.

    Args:
        prompts: target prompts.
        params: the sources, and the number of images of each.
        settings: what the sources need.
        folder: the image folder to write; what is in it is replaced.

    Raises:
        ValueError: a source fails, or no image was collected.
        FileNotFoundError: a published image is missing.
    """
    counts = _in_order(params.counts)
    for source in counts:
        # Before any source is paid.
        check_source(source, prompts, settings)
    writer, record = ImageFolderWriter(folder), CollectionRecord(prompts)
    for source, count in counts.items():
        for item in _from_source(source=source, prompts=prompts, count=count, settings=settings):
            if isinstance(item, Skipped):
                record.leave_out(source, item)
                continue
            name = f"{len(writer.rows):04d}.png"
            writer.add(name, item.image, text=item.text, prompt=item.prompt, source=source, **item.provenance)
            record.take(source, name, item)
    writer.close()
    skipped = record.skipped()
    if not writer.rows:
        raise ValueError(
            "no image was collected: " + "; ".join(f"{each['name']}: {each['reason']}" for each in skipped)
        )
    record.write(folder / FILES_TABLE)
    for prompt in record.prompts_without_image():
        tqdm.write(f"no image was collected for the target prompt {prompt!r}: add some", file=sys.stderr)
    return Collection(metrics=_metrics(record.metrics(list(counts)), settings), skipped=skipped)


def help_sampling(prompts: Sequence[str], params: CollectParams, settings: SourceSettings) -> None:
    """What further processes of a launcher do: sample the base with the first one, and write nothing."""
    for _ in find_source("base")(prompts, params.counts["base"], settings):
        pass


def describe_plan(prompts: Sequence[str], params: CollectParams, settings: SourceSettings) -> tuple[list[str], float]:
    """What `collect` would do, one line per source, and the dollars that it would still cost; nothing is bought."""
    lines, dollars = [], 0.0
    for source, count in _in_order(params.counts).items():
        if source == "openai":
            described, usd = import_module(module_of(source)).describe_purchase(prompts, count, settings)
            lines.append(f"openai: {described}")
            dollars += usd
        else:
            lines.append(f"{source}: up to {count} images, free of charge")
    return lines, dollars


def _in_order(counts: Mapping[str, int]) -> dict[str, int]:
    """Images by source; the base first, for that it draws too few right ones shows before any image is bought."""
    return dict(sorted(counts.items(), key=lambda item: item[0] != "base"))


def _from_source(
    *, source: str, prompts: Sequence[str], count: int, settings: SourceSettings
) -> Iterator[SourceImage | Skipped]:
    """The images of one source, with a progress bar and a line about each that was changed or left out."""
    with tqdm(total=count, desc=f"collecting ({source})", unit="image") as bar:
        for item in find_source(source)(prompts, count, settings):
            yield item
            if isinstance(item, Skipped):
                if not item.one_of_many:
                    tqdm.write(f"skipped {item.name}: {item.reason}", file=sys.stderr)
                continue
            if changes := item.provenance.get("changes"):
                tqdm.write(f"{item.provenance['original']}: {', '.join(changes)}", file=sys.stderr)
            bar.update()


def _metrics(collected: dict[str, Any], settings: SourceSettings) -> dict[str, Any]:
    counts = asdict(settings.openai.purchase.counts) if settings.openai is not None else {}
    metrics: dict[str, Any] = {
        "images": collected.pop("images"),
        "spend_usd": round(counts.get("spend_usd", 0.0), 6),
        "requests_paid": counts.get("requests_paid", 0),
        "requests_from_store": counts.get("requests_from_store", 0),
        **collected,
    }
    if metrics["requests_paid"] + metrics["requests_from_store"]:
        metrics |= {name: count for name, count in counts.items() if name not in metrics}
    return metrics
