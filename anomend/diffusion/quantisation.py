"""Models in 8 or 4 bits by bitsandbytes: the transformer, and the large text encoder, such as T5."""

from __future__ import annotations

from typing import Any

import torch
from diffusers import BitsAndBytesConfig

from anomend.diffusion.base_models import family_of_base, where
from anomend.params.diffusion import BaseModelParams
from anomend.project.extras import refuse_missing


def need_bitsandbytes(setting: str, instead: str) -> None:
    """Check that bitsandbytes can run: it needs its package and a CUDA GPU.

    Args:
        setting: the parameter that asks for it, with its value.
        instead: the value to choose where there is no GPU.

    Raises:
        ValueError: no GPU, or no bitsandbytes.
    """
    if not torch.cuda.is_available():
        raise ValueError(f"{setting} needs a CUDA GPU, and torch sees none here: choose {instead}")
    refuse_missing("bitsandbytes", setting)


def quantised_transformer(base: BaseModelParams, *, bits: str, setting: str = "train.quantise_base") -> torch.nn.Module:
    """The base's transformer with quantised weights, for `load_pipeline(..., transformer=...)`.

    Args:
        base: the base; its dtype is the precision of the computations.
        bits: `int8`, or `nf4` for 4 bits (Dettmers et al. 2023, arXiv 2305.14314).
        setting: the parameter that asks for it.

    Raises:
        ValueError: no CUDA GPU, or no bitsandbytes.
    """
    need_bitsandbytes(f"{setting} = {bits!r}", "none")
    config = (
        BitsAndBytesConfig(load_in_8bit=True)
        if bits == "int8"
        else BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=getattr(torch, base.dtype)
        )
    )
    transformer: torch.nn.Module = (
        family_of_base(base.name)
        .transformer_class()
        .from_pretrained(
            subfolder="transformer",
            quantization_config=config,
            torch_dtype=getattr(torch, base.dtype),
            **_source(base),
        )
    )
    return transformer


def eight_bit_text_encoder(base: BaseModelParams, setting: str = "encode.t5_8bit") -> torch.nn.Module:
    """The base's large text encoder in 8 bits, for `load_pipeline`; the paper encodes its prompts with such a T5.

    Args:
        base: the base.
        setting: the parameter that asks for it.

    Raises:
        ValueError: no CUDA GPU, or no bitsandbytes.
    """
    need_bitsandbytes(f"{setting} = true", "false")
    from transformers import BitsAndBytesConfig as TransformersConfig

    family = family_of_base(base.name)
    encoder: torch.nn.Module = family.large_text_encoder_class().from_pretrained(
        subfolder=family.large_text_encoder[0],
        quantization_config=TransformersConfig(load_in_8bit=True),
        **_source(base),
    )
    return encoder


def _source(base: BaseModelParams) -> dict[str, Any]:
    return {**where(base.name, base.local_folder, base.revision), "use_safetensors": True}
