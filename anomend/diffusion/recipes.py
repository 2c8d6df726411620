"""What determines a sampled image besides its prompt and seed: the key of the store of samples."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from anomend.diffusion.base_models import fingerprint
from anomend.params.diffusion import BaseModelParams, SampleParams
from anomend.project.devices import resolve_device

LIBRARIES = (
    "torch",
    "diffusers",
    "transformers",
    "peft",
    "accelerate",
    "safetensors",
    "numpy",
    "pillow",
    "bitsandbytes",
)
"""What computes an image from the weights, and writes it; None where it is not installed."""


def sampling_recipe(
    base: BaseModelParams, sample: SampleParams, *, code: str, lora: str | None = None
) -> dict[str, Any]:
    """Everything that a sampled image depends on, except its prompt and seed.

    How many images are sampled at a time is not in it, nor which GPU, nor how many threads: these change the rounding
    alone, and images that are made already are not made again for the last bits.

    Args:
        base: the base.
        sample: how it is sampled.
        code: fingerprint of the code that samples: `sampler` in resolved/code.json.
        lora: SHA-256 of the LoRA; None: the base itself.
    """
    return {
        "base": fingerprint(base.name, base.local_folder, base.revision),
        "lora": lora,
        "steps": sample.steps,
        "guidance_scale": sample.guidance_scale,
        "negative_prompt": "",
        "resolution": base.resolution,
        "dtype": base.dtype,
        "quantise": base.quantise,
        "t5_8bit": base.t5_8bit,
        "max_sequence_length": base.max_sequence_length,
        "device": resolve_device(base.device).type,
        "code": code,
        "libraries": {name: _public_version(name) for name in LIBRARIES},
    }


TEXT_KEYS = ("base", "dtype", "t5_8bit", "max_sequence_length", "device", "code", "libraries")


def text_recipe(recipe: Mapping[str, Any], *, t5_8bit: bool = False) -> dict[str, Any]:
    """What the embedding of a text depends on besides the text: a part of a sampling recipe.

    Args:
        recipe: of `sampling_recipe`.
        t5_8bit: T5 is in 8 bits also where the recipe has it in full (`encode.t5_8bit`).
    """
    about = {key: recipe[key] for key in TEXT_KEYS}
    return about | {"t5_8bit": recipe["t5_8bit"] or t5_8bit}


def _public_version(name: str) -> str | None:
    """The installed version without its build, such as `+cpu`: the device is named on its own."""
    try:
        return version(name).partition("+")[0]
    except PackageNotFoundError:
        return None
