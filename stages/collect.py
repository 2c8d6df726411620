"""Stage `collect`: gather candidate instance images for the target prompts, from one source or several."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tqdm import tqdm

from stages.cli import run_stage
from stages.image_params import CollectParams
from stages.imagefolder import ImageFolderWriter
from stages.metric_files import METRICS, write_metrics
from stages.params import load_params
from stages.sources import SOURCES
from stages.sources.image import FolderSettings, PaperSettings, Skipped, SourceSettings

COLLECTED = Path("data/collected")
PAPER_IMAGES = "ANOMEND_PAPER_IMAGES"
"""Environment variable: the folder of the paper's published images; goes before collect.paper.path."""


def source_settings(params: CollectParams) -> SourceSettings:
    """What the sources are told, from parameters and environment."""
    return SourceSettings(
        seed=params.seed,
        folder=FolderSettings(Path(params.folder.path).expanduser(), params.folder.caption),
        paper=PaperSettings(Path(os.environ.get(PAPER_IMAGES) or params.paper.path).expanduser()),
    )


def main() -> None:
    params = load_params()
    settings = source_settings(params.collect)
    counts = {params.collect.source: params.collect.images} | params.collect.mix
    writer = ImageFolderWriter(COLLECTED)
    per_source: dict[str, int] = {}
    skipped: list[dict[str, str]] = []
    for source, count in counts.items():
        before = len(writer.rows)
        with tqdm(total=count, desc=f"collecting ({source})", unit="image") as bar:
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
        "spend_usd": 0.0,
        "requests_paid": 0,
        "requests_from_store": 0,
        "sources": per_source,
        "skipped": len(skipped),
    }
    provenance = {"source": params.collect.source, "seed": params.collect.seed}
    write_metrics(METRICS / "collect.json", figures, provenance | ({"skipped": skipped} if skipped else {}))


if __name__ == "__main__":
    run_stage("collect", main)
