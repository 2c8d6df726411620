"""Models in 8 or 4 bits by bitsandbytes: the frozen base while training, and T5 while encoding."""

from __future__ import annotations

import os
from typing import Any

import torch
from diffusers import BitsAndBytesConfig, SD3Transformer2DModel

from anomend.diffusion.base_models import BASE_MODELS
from anomend.training.optimizers import need_bitsandbytes


def quantised_transformer(name: str, local_folder: str | None, bits: str, dtype: str) -> SD3Transformer2DModel:
    """The base's transformer in 8 bits (`int8`) or 4 (`nf4`, Dettmers et al. 2023, arXiv 2305.14314), computing in
    `dtype`; hand it to `load_pipeline(..., transformer=...)`.

    Raises:
        ValueError: no CUDA GPU, or no bitsandbytes.
    """
    need_bitsandbytes(f"train.quantise_base = {bits!r}", "none")
    config = (
        BitsAndBytesConfig(load_in_8bit=True)
        if bits == "int8"
        else BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=getattr(torch, dtype)
        )
    )
    transformer: SD3Transformer2DModel = SD3Transformer2DModel.from_pretrained(
        subfolder="transformer",
        quantization_config=config,
        torch_dtype=getattr(torch, dtype),
        **_where(name, local_folder),
    )
    return transformer


def eight_bit_t5(name: str, local_folder: str | None) -> torch.nn.Module:
    """The base's T5 in 8 bits, as the paper encodes its prompts; hand it to `load_pipeline(..., text_encoder_3=...)`.

    Raises:
        ValueError: no CUDA GPU, or no bitsandbytes.
    """
    need_bitsandbytes("encode.t5_8bit = true", "false")
    from transformers import BitsAndBytesConfig as TransformersConfig
    from transformers import T5EncoderModel

    encoder: torch.nn.Module = T5EncoderModel.from_pretrained(
        subfolder="text_encoder_3",
        quantization_config=TransformersConfig(load_in_8bit=True),
        **_where(name, local_folder),
    )
    return encoder


def _where(name: str, local_folder: str | None) -> dict[str, Any]:
    base = BASE_MODELS[name]
    return {
        "pretrained_model_name_or_path": local_folder or base.source,
        "revision": None if local_folder else base.revision,
        "token": os.environ.get("HF_TOKEN"),
        "use_safetensors": True,
    }
