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
from safetensors.torch import load_file, save

from anomend.diffusion.lora import WEIGHT_NAME

Weights = Mapping[str, torch.Tensor]
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
    """The adapters of a folder that `save_lora` or diffusers wrote; raises as `lora_file` and `from_diffusers`."""
    path = lora_file(folder)
    with safe_open(path, framework="pt") as handle:
        metadata = (handle.metadata() or {}).get("lora_adapter_metadata")
    return from_diffusers(load_file(path), json.loads(metadata) if metadata else None)


def write_diffusers(adapters: Mapping[str, Adapter], folder: Path) -> None:
    """Write a folder for `StableDiffusion3Pipeline.load_lora_weights`."""
    folder.mkdir(parents=True, exist_ok=True)
    # Not by `save_file`, which makes a file that only its owner may read.
    (folder / WEIGHT_NAME).write_bytes(save(to_diffusers(adapters), {"format": "pt"}))


def from_diffusers(weights: Weights, metadata: Mapping[str, Any] | None = None) -> dict[str, Adapter]:
    """Adapters by diffusers' module name, such as `transformer_blocks.0.attn.to_q`.

    Args:
        weights: `transformer.<module>.lora_A.weight`, (rank, inputs), and `.lora_B.weight`, (outputs, rank).
        metadata: peft's configuration with `transformer.` before each key; None: alpha = rank, as diffusers takes it.

    Raises:
        ValueError: DoRA, or a key that is not a plain LoRA on a linear layer of the transformer.
    """
    if any("lora_magnitude_vector" in key for key in weights):
        raise ValueError(NO_DORA)
    config = {key.removeprefix("transformer."): value for key, value in (metadata or {}).items()}
    adapters = {}
    for module, parts in by_module(weights, r"transformer\.(.+)\.(lora_[AB])\.weight", {"lora_A", "lora_B"}).items():
        down, up = parts["lora_A"], parts["lora_B"]
        rank, alphas = down.shape[0], config.get("alpha_pattern") or {}
        alpha = alphas.get(get_pattern_key(alphas.keys(), module), config.get("lora_alpha", rank))
        adapters[module] = Adapter(down, up, alpha / (math.sqrt(rank) if config.get("use_rslora") else rank))
    return adapters


def to_diffusers(adapters: Mapping[str, Adapter]) -> dict[str, torch.Tensor]:
    """Weights by diffusers' keys; each scale is folded into lora_B, so that they need no metadata."""
    weights = {}
    for module, adapter in adapters.items():
        weights[f"transformer.{module}.lora_A.weight"] = adapter.down.contiguous()
        weights[f"transformer.{module}.lora_B.weight"] = (adapter.scale * adapter.up).contiguous()
    return weights


def by_module(weights: Weights, pattern: str, needed: set[str]) -> dict[str, dict[str, torch.Tensor]]:
    """The tensors of each module by part.

    Args:
        weights: tensors by key.
        pattern: matches every key; its groups are the module's name and the part.
        needed: the parts that every module has; each is a matrix.

    Raises:
        ValueError: another key, a part that is not a matrix, or a module without one of its parts.
    """
    modules: dict[str, dict[str, torch.Tensor]] = {}
    for key, value in weights.items():
        match = re.fullmatch(pattern, key)
        if not match or (match[2] in needed and value.ndim != 2):
            raise ValueError(f"{key} is not a LoRA on a linear layer of the transformer, and nothing else is converted")
        modules.setdefault(match[1], {})[match[2]] = value
    for module, parts in modules.items():
        if not needed <= parts.keys():
            raise ValueError(f"{module} lacks its {' and '.join(sorted(needed - parts.keys()))}: the file is damaged")
    return modules
