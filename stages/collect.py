"""Stage `collect`: gather candidate instance images for the target prompts."""

from __future__ import annotations

from pathlib import Path

from tqdm import tqdm

from stages.cli import run_stage
from stages.imagefolder import ImageFolderWriter
from stages.metric_files import METRICS, write_metrics
from stages.params import load_params
from stages.sources import SOURCES

COLLECTED = Path("data/collected")


def main() -> None:
    params = load_params()
    settings = params.collect
    writer = ImageFolderWriter(COLLECTED)
    images = SOURCES[settings.source](params.prompts.target, settings.images, settings.seed)
    for index, item in enumerate(tqdm(images, total=settings.images, desc="collecting", unit="image")):
        writer.add(
            f"{index:04d}.png",
            item.image,
            text=item.text,
            prompt=item.prompt,
            source=settings.source,
            **item.provenance,
        )
    writer.close()
    figures = {"images": len(writer.rows), "spend_usd": 0.0, "requests_paid": 0, "requests_from_store": 0}
    write_metrics(METRICS / "collect.json", figures, {"source": settings.source, "seed": settings.seed})


if __name__ == "__main__":
    run_stage("collect", main)
