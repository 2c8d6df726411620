"""Stage `encode`: latents and text embeddings of instance, class and losing images, computed once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers import StableDiffusion3Pipeline

from anomend.diffusion.base_models import absent_parts, load_pipeline, resolve_device
from anomend.diffusion.embeddings import (
    EncodedSet,
    encode_captions,
    encode_images,
    encode_texts,
    save_encoded,
    save_texts,
    views,
)
from anomend.diffusion.quantisation import eight_bit_t5
from anomend.params.params import Params
from anomend.params.resolved import load_params
from anomend.pictures.image_sets import load_image, read_imagefolder
from anomend.project.run import run_stage

ENCODED, INSTANCE = Path("data/encoded"), Path("data/instance")
OTHERS = {"class": Path("data/class_images"), "loser": Path("data/losers")}
"""Shown as the base drew them: neither flipped nor cropped, nor with another caption."""


def encode_set(pipeline: StableDiffusion3Pipeline, folder: Path, params: Params, instance: bool) -> EncodedSet:
    """Encode one image set; flips, crops and the caption's quirk are for instance images."""
    base, settings = params.base, params.encode
    table = read_imagefolder(folder).sort_values("file_name")
    images = [load_image(path) for path in table["path"]]
    side = (base.resolution, base.resolution, 3)
    for path, image in zip(table["path"], images, strict=True):
        if image.shape != side:
            raise ValueError(f"{path} is {image.shape[1]} x {image.shape[0]}, and base.resolution is {base.resolution}")
    chosen = settings.model_dump(include={"flip", "crops", "min_crop", "seed"})
    shown = [
        views(image, name, **chosen) if instance else [image]
        for name, image in zip(table["file_name"], images, strict=True)
    ]
    mean, std = encode_images(pipeline, [view for versions in shown for view in versions], settings.batch_size)
    mean, std = (values.unflatten(0, (len(images), -1)) for values in (mean, std))
    texts = [settings.one_caption] * len(table) if instance and settings.one_caption else list(table["text"])
    captions = sorted(set(texts))
    length = settings.training_sequence_length or base.max_sequence_length
    embeds, pooled = encode_captions(pipeline, captions, length, settings.batch_size)
    rows = torch.tensor([captions.index(text) for text in texts])
    return EncodedSet(list(table["file_name"]), mean, std, rows, captions, embeds, pooled)


def main() -> None:
    params = load_params()
    base = params.base
    parts: dict[str, Any] = {}
    if "text_encoder_3" not in absent_parts(base.name, base.local_folder):
        # Encoding needs no transformer, but a pipeline without T5 asks the transformer for the width of the text.
        parts["transformer"] = None
        if params.encode.t5_8bit:
            parts["text_encoder_3"] = eight_bit_t5(base.name, base.local_folder)
    pipeline = load_pipeline(base.name, base.local_folder, base.dtype, **parts).to(resolve_device(base.device))
    save_encoded(ENCODED / "instance.safetensors", encode_set(pipeline, INSTANCE, params, instance=True))
    for name, folder in OTHERS.items():
        # A set that the recipe does not need is an empty folder.
        if any(folder.glob("*.png")):
            save_encoded(ENCODED / f"{name}.safetensors", encode_set(pipeline, folder, params, instance=False))
    prompts = [*params.prompts.target, ""]
    texts = encode_texts(pipeline, prompts, base.max_sequence_length, params.encode.batch_size)
    save_texts(ENCODED / "prompts.safetensors", texts)


if __name__ == "__main__":
    run_stage("encode", main)
