"""Write the miniature as a diffusers pipeline in half precision, measure it, and write its model card.

`export.py mini` writes the base with its planted defects, `export.py mini_null` the null base, which has none.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import SD3Transformer2DModel
from jinja2 import Template
from numpy.typing import NDArray
from PIL import Image

from anomend.diffusion.base_models import load_pipeline
from anomend.diffusion.sampling import sample_images
from anomend.miniature.anatomy import check
from anomend.miniature.defects import DEFECTIVE
from anomend.miniature.pipeline import T5_TOKENS, build_pipeline
from anomend.pictures.sheet import make_sheet
from anomend.statistics.proportions import wilson_interval
from studies.pretraining.phases import BUILD, PHASES
from studies.pretraining.settings import load_settings, read_metrics, write_metrics

SHOWN_SEEDS = 16


@dataclass(frozen=True, kw_only=True)
class Export:
    """A base that is written, and what its card and metrics are called."""

    phase: str
    """Its last phase, with whose frozen parts it is written."""
    metrics: str
    grid: str
    card: str
    planted: tuple[tuple[str, str], ...] = ()
    """Posture and place of the prompts with a defect."""


EXPORTS = {
    "mini": Export(phase="defect", metrics="export", grid="base_grid", card="model_card.md.jinja", planted=DEFECTIVE),
    "mini_null": Export(
        phase="null_base", metrics="export_null", grid="null_base_grid", card="null_model_card.md.jinja"
    ),
}


def grid(images: list[NDArray[np.uint8]], columns: int) -> Image.Image:
    """Images in rows of `columns`, a white pixel between them, at twice their size."""
    pictures = [Image.fromarray(image) for image in images]
    sheet, _ = make_sheet(pictures, columns=columns, side=images[0].shape[0], margin=1, background="white")
    return sheet.resize((sheet.width * 2, sheet.height * 2), Image.Resampling.NEAREST)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("base", choices=tuple(EXPORTS))
    name = parser.parse_args().base
    settings, export = load_settings(), EXPORTS[name]
    evaluation, parts, folder = settings.evaluation, PHASES[export.phase], BUILD / name
    count = evaluation.seeds if name == "mini" else evaluation.null_base_seeds
    transformer = SD3Transformer2DModel.from_pretrained(BUILD / export.phase)
    half = build_pipeline(transformer, parts.autoencoder, parts.text_encoders).to(torch.float16)
    half.save_pretrained(folder, safe_serialization=True)

    pipeline = load_pipeline("mini", str(folder), "float32")
    seeds = range(evaluation.first_seed, evaluation.first_seed + count)
    images = list(
        sample_images(
            pipeline,
            [(prompt, seed) for prompt in evaluation.prompts for seed in seeds],
            steps=evaluation.steps,
            guidance_scale=evaluation.guidance_scale,
            resolution=64,
            max_sequence_length=T5_TOKENS,
            batch_size=64,
        )
    )
    planted = {f"{posture} on the {place}" for posture, place in export.planted}
    rates, shown = [], []
    for index, prompt in enumerate(evaluation.prompts):
        of_prompt = images[index * count : (index + 1) * count]
        anomalous = sum(check(image).anomalous for image in of_prompt)
        low, high = wilson_interval(anomalous, len(of_prompt))
        rates.append(
            {
                "prompt": prompt,
                "rate": anomalous / len(of_prompt),
                "low": low,
                "high": high,
                "planted": prompt in planted,
            }
        )
        shown += of_prompt[:SHOWN_SEEDS]
    plots = Path("studies/pretraining/plots")
    plots.mkdir(parents=True, exist_ok=True)
    grid(shown, SHOWN_SEEDS).save(plots / f"{export.grid}.png")
    write_metrics(export.metrics, {"seeds": count, "rates": {row["prompt"]: row for row in rates}})
    phases = ("right", "defect") if name == "mini" else (export.phase,)
    card = Template(Path(__file__).with_name(export.card).read_text()).render(
        settings=settings,
        evaluation=evaluation,
        t5_tokens=T5_TOKENS,
        rates=rates,
        defective=", ".join(sorted(planted)),
        autoencoder=read_metrics("autoencoder"),
        encoders=read_metrics("text_encoders"),
        **{phase: read_metrics(phase) for phase in phases},
    )
    (folder / "README.md").write_text(card)


if __name__ == "__main__":
    main()
