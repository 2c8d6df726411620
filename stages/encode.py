"""Stage `encode`: latents and text embeddings of instance and class images, computed once."""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers import StableDiffusion3Pipeline

from stages.cli import run_stage
from stages.diffusion.base_models import absent_parts, load_pipeline, resolve_device
from stages.diffusion.embeddings import EncodedSet, encode_captions, encode_images, save_encoded, views
from stages.imagefolder import load_image, read_imagefolder
from stages.params import BaseModelParams, EncodeParams, load_params

ENCODED = Path("data/encoded")
SETS = {"instance": Path("data/instance"), "class": Path("data/class_images")}


def encode_set(
    pipeline: StableDiffusion3Pipeline, folder: Path, base: BaseModelParams, settings: EncodeParams, augment: bool
) -> EncodedSet:
    """Encode one image set; `augment` adds the flips and crops of the settings."""
    table = read_imagefolder(folder).sort_values("file_name")
    images = [load_image(path) for path in table["path"]]
    side = (base.resolution, base.resolution, 3)
    for path, image in zip(table["path"], images, strict=True):
        if image.shape != side:
            raise ValueError(f"{path} is {image.shape[1]} x {image.shape[0]}, and base.resolution is {base.resolution}")
    chosen = settings.model_dump(include={"flip", "crops", "min_crop", "seed"})
    shown = [
        views(image, name, **chosen) if augment else [image]
        for name, image in zip(table["file_name"], images, strict=True)
    ]
    mean, std = encode_images(pipeline, [view for versions in shown for view in versions], settings.batch_size)
    mean, std = (values.unflatten(0, (len(images), -1)) for values in (mean, std))
    captions = sorted(set(table["text"]))
    embeds, pooled = encode_captions(pipeline, captions, base.max_sequence_length, settings.batch_size)
    rows = torch.tensor([captions.index(text) for text in table["text"]])
    return EncodedSet(list(table["file_name"]), mean, std, rows, captions, embeds, pooled)


def main() -> None:
    params = load_params()
    base = params.base
    # Encoding needs no transformer, but a pipeline without T5 asks the transformer for the width of the text.
    unneeded = {} if "text_encoder_3" in absent_parts(base.name, base.local_folder) else {"transformer": None}
    pipeline = load_pipeline(base.name, base.local_folder, base.dtype, **unneeded).to(resolve_device(base.device))
    for name, folder in SETS.items():
        # Class images stand for what the base draws: they are shown as they are.
        encoded = encode_set(pipeline, folder, base, params.encode, augment=name == "instance")
        save_encoded(ENCODED / f"{name}.safetensors", encoded)


if __name__ == "__main__":
    run_stage("encode", main)
