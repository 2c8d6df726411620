"""Load a base for its texts, for training and for sampling: in the same precision wherever it is used."""

from __future__ import annotations

from typing import Any

import torch
from diffusers import DiffusionPipeline

from anomend.diffusion.base_models import absent_parts, family_of_base, load_denoiser, load_text_encoders
from anomend.diffusion.quantisation import eight_bit_text_encoder, quantised_transformer
from anomend.families.table import family_of
from anomend.params.diffusion import BaseModelParams
from anomend.project.devices import resolve_device

SLICED_FROM = 512
"""Side in pixels from which images are decoded one by one. Decoding a 1024-pixel image in float32 takes some 4 GiB, and
four at once four times that; smaller ones are faster together."""


def load_for_texts(base: BaseModelParams, *, t5_8bit: bool = False) -> DiffusionPipeline:
    """The text encoders on the base's device.

    Args:
        base: the base.
        t5_8bit: load the large text encoder, such as T5, in 8 bits, if the base has one, also where `base.t5_8bit`
            does not ask for it.

    Raises:
        ValueError: the base cannot be loaded, or 8 bits need a GPU or a package that is missing.
    """
    parts: dict[str, Any] = {}
    if (t5_8bit or base.t5_8bit) and has_large_text_encoder(base):
        setting = "base.t5_8bit" if base.t5_8bit else "encode.t5_8bit"
        part, _ = family_of_base(base.name).large_text_encoder
        parts[part] = eight_bit_text_encoder(base, setting)
    pipeline = load_text_encoders(base.name, base.local_folder, base.dtype, revision=base.revision, **parts)
    return pipeline.to(resolve_device(base.device))


def has_large_text_encoder(base: BaseModelParams) -> bool:
    """Whether the base has T5 or a language model among its text encoders."""
    part, _ = family_of_base(base.name).large_text_encoder
    return part not in absent_parts(base.name, base.local_folder)


def load_for_images(base: BaseModelParams) -> DiffusionPipeline:
    """The VAE on the base's device, for encoding images.

    Raises:
        ValueError: the base cannot be loaded.
    """
    pipeline = load_denoiser(base.name, base.local_folder, base.dtype, revision=base.revision, transformer=None)
    return pipeline.to(resolve_device(base.device))


def load_for_sampling(base: BaseModelParams) -> DiffusionPipeline:
    """Transformer, VAE and scheduler on the base's device, for texts that are already encoded.

    Raises:
        ValueError: the base cannot be loaded, or `base.quantise` needs a GPU or a package that is missing.
    """
    pipeline = load_denoiser_parts(base)
    device = resolve_device(base.device)
    if base.quantise == "none":
        pipeline.transformer.to(device)
    pipeline.vae.to(device)
    return pipeline


def load_denoiser_parts(base: BaseModelParams, *, vae: bool = True, train_bits: str = "none") -> DiffusionPipeline:
    """Transformer, scheduler and, unless `vae` is False, a VAE that is ready to decode.

    All is on the CPU, except a quantised transformer, which is on the GPU.

    Args:
        base: the base.
        vae: load the VAE.
        train_bits: `train.quantise_base`, which wins over `base.quantise` unless it is none.

    Raises:
        ValueError: as `load_for_sampling`.
    """
    parts: dict[str, Any] = {} if vae else {"vae": None}
    bits, setting = (base.quantise, "base.quantise") if train_bits == "none" else (train_bits, "train.quantise_base")
    if bits != "none":
        parts["transformer"] = quantised_transformer(base, bits=bits, setting=setting)
    pipeline = load_denoiser(base.name, base.local_folder, base.dtype, revision=base.revision, **parts)
    if vae:
        prepare_decoder(pipeline, base.resolution)
    return pipeline


def prepare_decoder(pipeline: DiffusionPipeline, resolution: int) -> None:
    """Have the VAE decode in float32, image by image from `SLICED_FROM` pixels, in tiles beyond what it was made for.

    float32, because the images are measured: in bfloat16 the decoder's rounding moves many pixels by a grey level or
    more, which sharpness and SSIM see, and training encodes in float32. diffusers' pipeline for Stable Diffusion 3
    decodes in the precision of the rest: it does not read the VAE's `force_upcast`, which in other pipelines asks for
    float32 instead of float16. Decoding once costs little beside the steps of sampling.

    Args:
        pipeline: with its VAE.
        resolution: side of the images in pixels.
    """
    vae = pipeline.vae.float()
    for part in (vae.post_quant_conv, vae.decoder):
        if part is not None:
            part.register_forward_pre_hook(_in_float32)
    if resolution >= SLICED_FROM:
        family_of(pipeline).slice_decoder(vae)


def _in_float32(_module: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    return (inputs[0].float(), *inputs[1:])
