"""Load a base for its texts, for training and for sampling: in the same precision wherever it is used."""

from __future__ import annotations

from typing import Any

import torch
from diffusers import StableDiffusion3Pipeline

from anomend.diffusion.base_models import absent_parts, load_denoiser, load_text_encoders
from anomend.diffusion.quantisation import eight_bit_t5, quantised_transformer
from anomend.params.diffusion import BaseModelParams
from anomend.project.devices import resolve_device

SLICED_FROM = 512
"""Side in pixels from which images are decoded one by one. Decoding a 1024-pixel image in float32 takes some 4 GiB, and
four at once four times that; smaller ones are faster together."""


def load_for_texts(base: BaseModelParams, *, t5_8bit: bool = False) -> StableDiffusion3Pipeline:
    """The text encoders on the base's device.

    Args:
        base: the base.
        t5_8bit: load T5 in 8 bits, if the base has one, also where `base.t5_8bit` does not ask for it.

    Raises:
        ValueError: the base cannot be loaded, or 8 bits need a GPU or a package that is missing.
    """
    parts: dict[str, Any] = {}
    if (t5_8bit or base.t5_8bit) and has_t5(base):
        setting = "base.t5_8bit" if base.t5_8bit else "encode.t5_8bit"
        parts["text_encoder_3"] = eight_bit_t5(base.name, base.local_folder, setting)
    return load_text_encoders(base.name, base.local_folder, base.dtype, **parts).to(resolve_device(base.device))


def has_t5(base: BaseModelParams) -> bool:
    """Whether the base has T5 among its text encoders."""
    return "text_encoder_3" not in absent_parts(base.name, base.local_folder)


def load_for_images(base: BaseModelParams) -> StableDiffusion3Pipeline:
    """The VAE on the base's device, for encoding images.

    Raises:
        ValueError: the base cannot be loaded.
    """
    pipeline = load_denoiser(base.name, base.local_folder, base.dtype, transformer=None)
    return pipeline.to(resolve_device(base.device))


def load_for_sampling(base: BaseModelParams) -> StableDiffusion3Pipeline:
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


def load_denoiser_parts(
    base: BaseModelParams, *, vae: bool = True, train_bits: str = "none"
) -> StableDiffusion3Pipeline:
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
        parts["transformer"] = quantised_transformer(
            base.name, base.local_folder, bits=bits, dtype=base.dtype, setting=setting
        )
    pipeline = load_denoiser(base.name, base.local_folder, base.dtype, **parts)
    if vae:
        prepare_decoder(pipeline, base.resolution)
    return pipeline


def prepare_decoder(pipeline: StableDiffusion3Pipeline, resolution: int) -> None:
    """Have the VAE decode in float32, image by image from `SLICED_FROM` pixels, in tiles beyond what it was made for.

    float32, because the images are measured: in bfloat16 the decoder's rounding moves many pixels by a grey level or
    more, which sharpness and SSIM see, and training encodes in float32. diffusers' pipeline for Stable Diffusion 3
    decodes in the precision of the rest: it does not read the VAE's `force_upcast`, which in other pipelines asks for
    float32 instead of float16. Decoding once costs little beside the steps of sampling.

    Args:
        pipeline: with its VAE.
        resolution: side of the images in pixels.
    """
    vae = pipeline.vae.to(torch.float32)
    for part in (vae.post_quant_conv, vae.decoder):
        if part is not None:
            part.register_forward_pre_hook(_in_float32)
    if resolution >= SLICED_FROM:
        vae.enable_slicing()
        # Tiles have the side of the VAE's own images, with a quarter's overlap: up to 1024 pixels there is one.
        vae.enable_tiling()


def _in_float32(_module: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    return (inputs[0].float(), *inputs[1:])
