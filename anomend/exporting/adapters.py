"""A LoRA as a mapping from diffusers' module names to adapters, read from diffusers' file and written to one.

diffusers' keys are `transformer.<module>.lora_A.weight` and `.lora_B.weight`; rank, alpha and rsLoRA are JSON in
the file's metadata. Without them diffusers takes alpha = rank, so what is written here has its scale in lora_B.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft.utils.other import get_pattern_key
from safetensors import safe_open
from safetensors.torch import save

from anomend.diffusion.finite import check_finite
from anomend.diffusion.lora_folder import WEIGHT_NAME
from anomend.exporting.lora_tensors import read_tensors
from anomend.project.files import write_whole

Weights = Mapping[str, torch.Tensor]
GET_AGAIN = "the file is damaged, get it again"
NO_DORA = (
    "this LoRA was trained with DoRA, which the layout cannot carry exactly (ComfyUI normalises by another norm, "
    "sd-scripts ignores it): load it by diffusers, or train with train.use_dora=false"
)


@dataclass(frozen=True)
class Adapter:
    """One module's adapter: its weight changes by `scale * up @ down`."""

    down: torch.Tensor
    """(rank, inputs)"""
    up: torch.Tensor
    """(outputs, rank)"""
    scale: float

    def delta(self) -> torch.Tensor:
        """Change of the weight, (outputs, inputs)."""
        return self.scale * self.up @ self.down


def lora_file(folder: Path) -> Path:
    """The weights of a LoRA folder.

    Raises:
        FileNotFoundError: the folder has none.
    """
    path = folder / WEIGHT_NAME
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing: run `dvc repro train`, or `dvc pull` it")
    return path


def read_diffusers(folder: Path) -> dict[str, Adapter]:
    """The adapters of a folder that `save_lora` or diffusers wrote.

    Raises:
        FileNotFoundError: the folder has no LoRA.
        ValueError: as `read_tensors` and `from_diffusers`; the sentence names the file.
    """
    path = lora_file(folder)
    weights = read_tensors(path)
    with safe_open(path, framework="pt") as handle:
        metadata = (handle.metadata() or {}).get("lora_adapter_metadata")
    try:
        return from_diffusers(weights, json.loads(metadata) if metadata else None)
    except (TypeError, AttributeError, re.error, json.JSONDecodeError):
        raise ValueError(f"{path}: its lora_adapter_metadata is damaged: get the file again") from None
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def write_diffusers(adapters: Mapping[str, Adapter], folder: Path) -> None:
    """Write a folder for `StableDiffusion3Pipeline.load_lora_weights`; raises as `to_diffusers`."""
    weights = to_diffusers(adapters)
    # Not by `save_file`, which makes a file that only its owner may read.
    write_whole(folder / WEIGHT_NAME, save(weights, {"format": "pt"}))


def from_diffusers(weights: Weights, metadata: Mapping[str, Any] | None = None) -> dict[str, Adapter]:
    """Adapters by diffusers' module name, such as `transformer_blocks.0.attn.to_q`.

    Args:
        weights: `transformer.<module>.lora_A.weight`, (rank, inputs), and `.lora_B.weight`, (outputs, rank).
        metadata: peft's configuration with `transformer.` before each key; None: alpha = rank, as diffusers takes it.

    Raises:
        ValueError: DoRA, a key that is not a plain LoRA on a linear layer of the transformer, or as `by_module`.
    """
    if any("lora_magnitude_vector" in key for key in weights):
        raise ValueError(NO_DORA)
    config = {key.removeprefix("transformer."): value for key, value in (metadata or {}).items()}
    adapters = {}
    for module, parts in by_module(weights, r"transformer\.(.+)\.(lora_[AB])\.weight", {"lora_A", "lora_B"}).items():
        down, up = parts["lora_A"], parts["lora_B"]
        rank, alphas = down.shape[0], config.get("alpha_pattern") or {}
        alpha = alphas.get(get_pattern_key(alphas.keys(), module), config.get("lora_alpha", rank))
        if not math.isfinite(alpha):
            raise ValueError(f"the alpha of {module} is {alpha}: {GET_AGAIN}")
        adapters[module] = Adapter(down, up, alpha / (math.sqrt(rank) if config.get("use_rslora") else rank))
    return adapters


def to_diffusers(adapters: Mapping[str, Adapter]) -> dict[str, torch.Tensor]:
    """Weights by diffusers' keys; each scale is folded into lora_B, so that they need no metadata.

    A lora_B of 16 bits becomes float32 unless its scale is 1: the product would lose digits, or end.

    Raises:
        ValueError: a product is not finite.
    """
    weights = {}
    for module, adapter in adapters.items():
        up = adapter.up if adapter.scale == 1 or adapter.up.dtype == torch.float64 else adapter.up.float()
        weights[f"transformer.{module}.lora_A.weight"] = adapter.down.contiguous()
        weights[f"transformer.{module}.lora_B.weight"] = (adapter.scale * up).contiguous()
        check_finite(weights[f"transformer.{module}.lora_B.weight"], f"alpha times {module}'s lora_B", GET_AGAIN)
    return weights


def by_module(weights: Weights, pattern: str, needed: set[str]) -> dict[str, dict[str, torch.Tensor]]:
    """The tensors of each module by part.

    Args:
        weights: tensors by key.
        pattern: matches every key; its groups are the module's name and the part.
        needed: the two parts that every module has, (rank, inputs) and (outputs, rank) in the order of their names.

    Raises:
        ValueError: another key, a part that is not a matrix of floats, is not finite or is there twice, a module
            without one of its parts, parts that do not fit each other, or no key at all.
    """
    if not weights:
        raise ValueError("there is no LoRA in it: name a file with a LoRA for the transformer")
    modules: dict[str, dict[str, torch.Tensor]] = {}
    for key, value in weights.items():
        match = re.fullmatch(pattern, key)
        if not match or (match[2] in needed and value.ndim != 2):
            raise ValueError(
                f"{key} is not a LoRA on a linear layer of the transformer, and nothing else is converted: leave it out"
            )
        if match[2] in needed and not value.is_floating_point():
            raise ValueError(f"{key} is quantised ({value.dtype}): get the LoRA in float32, float16 or bfloat16")
        check_finite(value, key, GET_AGAIN)
        parts = modules.setdefault(match[1], {})
        if match[2] in parts:
            raise ValueError(f"{match[1]} has two {match[2]}: {GET_AGAIN}")
        parts[match[2]] = value
    for module, parts in modules.items():
        if not needed <= parts.keys():
            raise ValueError(f"{module} lacks its {' and '.join(sorted(needed - parts.keys()))}: {GET_AGAIN}")
        down, up = (parts[name] for name in sorted(needed))
        if down.shape[0] != up.shape[1] or not down.numel() or not up.numel():
            shapes = f"{tuple(down.shape)} and {tuple(up.shape)}"
            raise ValueError(f"{module} has matrices of shapes {shapes}, which do not fit each other: {GET_AGAIN}")
    return modules
