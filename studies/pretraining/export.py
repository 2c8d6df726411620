"""Write the miniature as a diffusers pipeline in half precision, measure it, and write its model card."""

from __future__ import annotations

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
from studies.pretraining.settings import load_settings, read_metrics, write_metrics

BUILD = Path("studies/pretraining/build")
SHOWN_SEEDS = 16
CARD = Path(__file__).with_name("model_card.md.jinja")


def grid(images: list[NDArray[np.uint8]], columns: int) -> Image.Image:
    """Images in rows of `columns`, a white pixel between them, at twice their size."""
    pictures = [Image.fromarray(image) for image in images]
    sheet, _ = make_sheet(pictures, columns=columns, side=images[0].shape[0], margin=1, background="white")
    return sheet.resize((sheet.width * 2, sheet.height * 2), Image.Resampling.NEAREST)


def main() -> None:
    settings = load_settings()
    evaluation = settings.evaluation
    transformer = SD3Transformer2DModel.from_pretrained(BUILD / "defect")
    half = build_pipeline(transformer, BUILD / "autoencoder", BUILD / "text_encoders").to(torch.float16)
    half.save_pretrained(BUILD / "mini", safe_serialization=True)

    pipeline = load_pipeline("mini", str(BUILD / "mini"), "float32")
    seeds = range(evaluation.first_seed, evaluation.first_seed + evaluation.seeds)
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
    planted = {f"{posture} on the {place}" for posture, place in DEFECTIVE}
    rates, shown = [], []
    for index, prompt in enumerate(evaluation.prompts):
        of_prompt = images[index * evaluation.seeds : (index + 1) * evaluation.seeds]
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
    grid(shown, SHOWN_SEEDS).save(plots / "base_grid.png")
    write_metrics("export", {"seeds": evaluation.seeds, "rates": {row["prompt"]: row for row in rates}})
    card = Template(CARD.read_text()).render(
        settings=settings,
        evaluation=evaluation,
        t5_tokens=T5_TOKENS,
        rates=rates,
        defective=", ".join(sorted(planted)),
        autoencoder=read_metrics("autoencoder"),
        encoders=read_metrics("text_encoders"),
        right=read_metrics("right"),
        defect=read_metrics("defect"),
    )
    (BUILD / "mini" / "README.md").write_text(card)


if __name__ == "__main__":
    main()
