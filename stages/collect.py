"""Stage `collect`: gather candidate instance images for the target prompts, from one source or several."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from tqdm import tqdm

from anomend.collecting import SOURCES
from anomend.collecting.image import FolderSettings, PaperSettings, Skipped, SourceSettings
from anomend.collecting.openai_settings import KEY, OpenAISettings
from anomend.params.images import CollectParams
from anomend.params.resolved import load_params
from anomend.pictures.image_sets import ImageFolderWriter
from anomend.project.metric_files import METRICS, write_metrics
from anomend.project.run import run_stage
from anomend.purchasing.budget import PERMISSION
from anomend.purchasing.purchase import Counts, Patience
from anomend.purchasing.store import STORE, project_store

COLLECTED = Path("data/collected")
PAPER_IMAGES = "ANOMEND_PAPER_IMAGES"
"""Environment variable: the folder of the paper's published images; goes before collect.paper.path."""


def source_settings(
    params: CollectParams, counts: Counts, progress: Callable[[Counts], None] = lambda _: None
) -> SourceSettings:
    """What the sources are told, from parameters and environment; `counts` is filled in by those that cost money."""
    bought, asked = params.openai, params.openai.requests
    return SourceSettings(
        seed=params.seed,
        folder=FolderSettings(Path(params.folder.path).expanduser(), params.folder.caption),
        paper=PaperSettings(Path(os.environ.get(PAPER_IMAGES) or params.paper.path).expanduser()),
        openai=OpenAISettings(
            model=bought.model,
            size=bought.size,
            quality=bought.quality,
            output_format=bought.output_format,
            input_fidelity=bought.input_fidelity,
            people=bought.people,
            contexts=bought.contexts,
            individual_template=Path(bought.individual_template),
            context_template=Path(bought.context_template),
            max_usd=params.max_usd,
            concurrency=asked.concurrency,
            timeout_s=asked.timeout_s,
            patience=Patience(asked.attempts, asked.first_wait_s),
            store=project_store(Path.cwd(), os.environ.get(STORE)),
            api_key=os.environ.get(KEY),
            may_spend=os.environ.get(PERMISSION) == "1",
            say=lambda line: tqdm.write(line, file=sys.stderr),
            progress=progress,
            counts=counts,
        ),
    )


def print_plan() -> None:
    """What a run would collect, and what it would cost; nothing is asked, bought or written."""
    params = load_params()
    for source, count in ({params.collect.source: params.collect.images} | params.collect.mix).items():
        if source == "openai":
            from anomend.collecting.openai_images import plan

            settings = source_settings(params.collect, Counts()).openai
            assert settings is not None
            print(f"openai: {plan(params.prompts.target, count, settings)}")
        else:
            print(f"{source}: up to {count} images, free of charge")


def main() -> None:
    params = load_params()
    spending = Counts()
    counts = {params.collect.source: params.collect.images} | params.collect.mix
    writer = ImageFolderWriter(COLLECTED)
    per_source: dict[str, int] = {}
    skipped: list[dict[str, str]] = []
    for source, count in counts.items():
        before = len(writer.rows)
        with tqdm(total=count, desc=f"collecting ({source})", unit="image") as bar:
            settings = source_settings(params.collect, spending, lambda so_far, bar=bar: _show(bar, so_far))  # type: ignore[misc]
            for item in SOURCES[source](params.prompts.target, count, settings):
                if isinstance(item, Skipped):
                    skipped.append({"source": source, "name": item.name, "reason": item.reason})
                    tqdm.write(f"skipped {item.name}: {item.reason}", file=sys.stderr)
                    continue
                name = f"{len(writer.rows):04d}.png"
                writer.add(name, item.image, text=item.text, prompt=item.prompt, source=source, **item.provenance)
                if changes := item.provenance.get("changes"):
                    tqdm.write(f"{item.provenance['original']}: {', '.join(changes)}", file=sys.stderr)
                bar.update()
        per_source[source] = len(writer.rows) - before
    writer.close()
    figures = {
        "images": len(writer.rows),
        "spend_usd": round(spending.spend_usd, 6),
        "requests_paid": spending.requests_paid,
        "requests_from_store": spending.requests_from_store,
        "sources": per_source,
        "skipped": len(skipped),
    }
    if spending.requests_paid + spending.requests_from_store:
        figures |= {name: figure for name, figure in asdict(spending).items() if name not in figures}
    if not writer.rows:
        raise ValueError(
            "no image was collected: " + "; ".join(f"{each['name']}: {each['reason']}" for each in skipped)
        )
    provenance = {"source": params.collect.source, "seed": params.collect.seed}
    write_metrics(METRICS / "collect.json", figures, provenance | ({"skipped": skipped} if skipped else {}))


def _show(bar: tqdm[None], so_far: Counts) -> None:
    answered = so_far.requests_paid + so_far.requests_from_store
    bar.set_postfix_str(f"{answered} answers, {so_far.retries} retries, ${so_far.spend_usd:.2f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m stages.collect")
    parser.add_argument("--dry-run", action="store_true", help="print the plan and its cost, and do nothing")
    dry = parser.parse_args().dry_run
    run_stage("collect", print_plan if dry else main, measured=not dry)
