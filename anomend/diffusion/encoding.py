"""Encode image sets and prompts with a base's VAE and text encoders."""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers import DiffusionPipeline

from anomend.diffusion.embeddings import EncodedSet, encode_images, views
from anomend.diffusion.finite import check_finite
from anomend.diffusion.loading import has_large_text_encoder
from anomend.diffusion.texts import EncodesTexts
from anomend.params.diffusion import BaseModelParams, EncodeParams
from anomend.pictures.image_sets import load_image, read_imagefolder


def texts_at_a_time(base: BaseModelParams, settings: EncodeParams) -> int:
    """How many texts are encoded together: with T5 or a language model one, as for sampling, so that both use the same
    embeddings.

    The last bits of an embedding depend on its company; small encoders are loaded and run in no time.
    """
    return 1 if has_large_text_encoder(base) else settings.batch_size


def encode_image_set(
    pipeline: DiffusionPipeline,
    folder: Path,
    *,
    base: BaseModelParams,
    settings: EncodeParams,
    encode: EncodesTexts,
    augmented: bool,
) -> EncodedSet:
    """Encode an image set with its captions.

    Args:
        pipeline: the VAE, from `load_for_images`.
        folder: the image set.
        base: its resolution is the side of all images.
        settings: flips, crops and text lengths.
        encode: encodes captions.
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
    embedded = encode(captions, max_sequence_length=length, batch_size=texts_at_a_time(base, settings))
    return EncodedSet(
        ids=list(table["file_name"]),
        mean=mean,
        std=std,
        caption=torch.tensor([captions.index(text) for text in texts]),
        captions=captions,
        texts=embedded.texts,
        prompts=list(table["prompt"].fillna(table["text"]) if "prompt" in table else table["text"]),
    )
