"""Encode image sets and prompts with a base's VAE and text encoders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers import StableDiffusion3Pipeline

from anomend.diffusion.base_models import absent_parts, load_pipeline, resolve_device
from anomend.diffusion.embeddings import EncodedSet, encode_captions, encode_images, views
from anomend.diffusion.finite import check_finite
from anomend.diffusion.quantisation import eight_bit_t5
from anomend.params.diffusion import BaseModelParams, EncodeParams
from anomend.pictures.image_sets import load_image, read_imagefolder


def load_encoders(base: BaseModelParams, *, t5_8bit: bool) -> StableDiffusion3Pipeline:
    """The base's VAE and text encoders, on its device.

    Args:
        base: the base.
        t5_8bit: load T5 in 8 bits, if the base has one, also where `base.t5_8bit` does not ask for it.

    Raises:
        ValueError: the base cannot be loaded, or 8 bits need a GPU that is missing.
    """
    parts: dict[str, Any] = {}
    if "text_encoder_3" not in absent_parts(base.name, base.local_folder):
        # Encoding does not need the transformer, but a pipeline without T5 takes the width of the text from it.
        parts["transformer"] = None
        if t5_8bit or base.t5_8bit:
            setting = "base.t5_8bit" if base.t5_8bit else "encode.t5_8bit"
            parts["text_encoder_3"] = eight_bit_t5(base.name, base.local_folder, setting)
    return load_pipeline(base.name, base.local_folder, base.dtype, **parts).to(resolve_device(base.device))


def encode_image_set(
    pipeline: StableDiffusion3Pipeline,
    folder: Path,
    *,
    base: BaseModelParams,
    settings: EncodeParams,
    augmented: bool,
) -> EncodedSet:
    """Encode an image set with its captions.

    Args:
        pipeline: VAE and text encoders, from `load_encoders`.
        folder: the image set.
        base: its resolution is the side of all images.
        settings: flips, crops and text lengths.
        augmented: apply flips, crops and `one_caption`, which are for instance images. Images of the base stay as
            they were drawn.

    Raises:
        ValueError: the set is incomplete, an image does not have the base's resolution, or a latent or an embedding is
            not finite.
    """
    table = read_imagefolder(folder).sort_values("file_name")
    images = [load_image(path) for path in table["path"]]
    for path, image in zip(table["path"], images, strict=True):
        if image.shape != (base.resolution, base.resolution, 3):
            raise ValueError(f"{path} is {image.shape[1]} x {image.shape[0]}, and base.resolution is {base.resolution}")
    augmentation = settings.model_dump(include={"flip", "crops", "min_crop", "seed"})
    versions = [
        views(image, name, **augmentation) if augmented else [image]
        for name, image in zip(table["file_name"], images, strict=True)
    ]
    mean, std = encode_images(pipeline, [view for views_ in versions for view in views_], settings.batch_size)
    mean, std = (values.unflatten(0, (len(images), -1)) for values in (mean, std))
    for path, *values in zip(table["path"], mean, std, strict=True):
        for each in values:
            check_finite(each, f"the latent of {path}", "the base's VAE is damaged: get its weights again")
    texts = [settings.one_caption] * len(table) if augmented and settings.one_caption else list(table["text"])
    captions = sorted(set(texts))
    length = settings.training_sequence_length or base.max_sequence_length
    embeds, pooled = encode_captions(pipeline, captions, max_sequence_length=length, batch_size=settings.batch_size)
    return EncodedSet(
        ids=list(table["file_name"]),
        mean=mean,
        std=std,
        caption=torch.tensor([captions.index(text) for text in texts]),
        captions=captions,
        embeds=embeds,
        pooled=pooled,
        prompts=list(table["prompt"].fillna(table["text"]) if "prompt" in table else table["text"]),
    )
