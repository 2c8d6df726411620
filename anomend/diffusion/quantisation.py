"""Models in 8 or 4 bits by bitsandbytes: the transformer, and T5."""

from __future__ import annotations

import os
from typing import Any

import torch
from diffusers import BitsAndBytesConfig, SD3Transformer2DModel

from anomend.diffusion.base_models import BASE_MODELS, base_source
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


def quantised_transformer(
    name: str, local_folder: str | None, *, bits: str, dtype: str, setting: str = "train.quantise_base"
) -> SD3Transformer2DModel:
    """The base's transformer with quantised weights, for `load_pipeline(..., transformer=...)`.

    Args:
        name: key of `BASE_MODELS`.
        local_folder: folder in the hub's layout that replaces the table's source.
        bits: `int8`, or `nf4` for 4 bits (Dettmers et al. 2023, arXiv 2305.14314).
        dtype: precision of its computations.
        setting: the parameter that asks for it.

    Raises:
        ValueError: no CUDA GPU, or no bitsandbytes.
    """
    need_bitsandbytes(f"{setting} = {bits!r}", "none")
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
        **_source(name, local_folder),
    )
    return transformer


def eight_bit_t5(name: str, local_folder: str | None, setting: str = "encode.t5_8bit") -> torch.nn.Module:
    """The base's T5 in 8 bits, with which the paper encodes its prompts, for `load_pipeline(..., text_encoder_3=...)`.

    Args:
        name: key of `BASE_MODELS`.
        local_folder: folder in the hub's layout that replaces the table's source.
        setting: the parameter that asks for it.

    Raises:
        ValueError: no CUDA GPU, or no bitsandbytes.
    """
    need_bitsandbytes(f"{setting} = true", "false")
    from transformers import BitsAndBytesConfig as TransformersConfig
    from transformers import T5EncoderModel

    encoder: torch.nn.Module = T5EncoderModel.from_pretrained(
        subfolder="text_encoder_3",
        quantization_config=TransformersConfig(load_in_8bit=True),
        **_source(name, local_folder),
    )
    return encoder


def _source(name: str, local_folder: str | None) -> dict[str, Any]:
    base = BASE_MODELS[name]
    return {
        "pretrained_model_name_or_path": base_source(name, local_folder),
        "revision": None if local_folder else base.revision,
        "token": os.environ.get("HF_TOKEN"),
        "use_safetensors": True,
    }
