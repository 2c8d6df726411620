"""A LoRA in the key layout of kohya's sd-scripts, which ComfyUI and most other programs load, and back.

    diffusers   transformer.transformer_blocks.<i>.attn.to_q.lora_A.weight ...
    kohya       lora_unet_joint_blocks_<i>_x_block_attn_qkv.lora_down.weight, .lora_up.weight, .alpha ...

kohya's names are those of Stability AI's own module tree (sd-scripts `networks/lora_sd3.py`). There q, k and v are one
projection whose rows are q's, then k's, then v's (diffusers' `convert_sd3_to_diffusers` splits it so), and an adapter's
change is alpha / rank * up @ down. Three adapters become one, exactly: their A stacked, their B on the diagonal.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from stages.diffusion.lora import WEIGHT_NAME

Tensors = dict[str, torch.Tensor]

FUSED = {
    "x_block_attn_qkv": ("attn.to_q", "attn.to_k", "attn.to_v"),
    "context_block_attn_qkv": ("attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj"),
    "x_block_attn2_qkv": ("attn2.to_q", "attn2.to_k", "attn2.to_v"),
}
SINGLE = {
    "x_block_attn_proj": "attn.to_out.0",
    "context_block_attn_proj": "attn.to_add_out",
    "x_block_attn2_proj": "attn2.to_out.0",
    "x_block_mlp_fc1": "ff.net.0.proj",
    "x_block_mlp_fc2": "ff.net.2",
    "context_block_mlp_fc1": "ff_context.net.0.proj",
    "context_block_mlp_fc2": "ff_context.net.2",
}
"""kohya's module names to diffusers', inside a block; `x` is the image stream, `context` the text's."""

_DIFFUSERS = re.compile(r"transformer\.transformer_blocks\.(\d+)\.(.+)\.lora_(A|B)\.weight")
_KOHYA = re.compile(r"lora_unet_joint_blocks_(\d+)_(.+?)\.(lora_down\.weight|lora_up\.weight|alpha)")


@dataclass(frozen=True)
class Adapter:
    """One projection's change: scale * B @ A."""

    down: torch.Tensor
    """A, (rank, inputs)."""
    up: torch.Tensor
    """B, (outputs, rank)."""
    scale: float

    @property
    def rank(self) -> int:
        return self.down.shape[0]

    @property
    def delta(self) -> torch.Tensor:
        """What is added to the projection's weight, (outputs, inputs)."""
        return self.scale * self.up @ self.down


def read_adapters(folder: Path) -> dict[tuple[int, str], Adapter]:
    """The adapters of a LoRA that stage `train` wrote, by block and diffusers' module name.

    Raises:
        ValueError: no LoRA there, a DoRA, or weights outside the transformer's blocks; none of these fit the layout.
    """
    path = folder / WEIGHT_NAME
    if not path.exists():
        raise ValueError(f"{path} is missing: run `dvc repro train`, or `dvc pull` it")
    with safe_open(path, framework="pt") as handle:
        tensors = {name: handle.get_tensor(name) for name in handle.keys()}  # noqa: SIM118
        config = json.loads((handle.metadata() or {}).get("lora_adapter_metadata", "{}"))
    if not config:
        raise ValueError(f"{path} does not say its rank and alpha: train it again with this version")
    if config.get("transformer.use_dora"):
        raise ValueError(f"{path} is a DoRA, whose magnitudes kohya's fused layout cannot hold: use it with diffusers")
    rank, alpha = config["transformer.r"], config["transformer.lora_alpha"]
    scale = alpha / (rank**0.5 if config.get("transformer.use_rslora") else rank)
    halves: dict[tuple[int, str], dict[str, torch.Tensor]] = {}
    for name, tensor in tensors.items():
        found = _DIFFUSERS.fullmatch(name)
        if not found:
            raise ValueError(f"{path} holds {name}, which kohya's layout has no name for")
        halves.setdefault((int(found[1]), found[2]), {})[found[3]] = tensor.float()
    return {key: Adapter(half["A"], half["B"], scale) for key, half in halves.items()}


def to_kohya(adapters: Mapping[tuple[int, str], Adapter]) -> Tensors:
    """kohya's tensors of some adapters.

    Raises:
        ValueError: a module has no name there.
    """
    fused = {module: (name, place) for name, modules in FUSED.items() for place, module in enumerate(modules)}
    single = {module: name for name, module in SINGLE.items()}
    parts: dict[str, dict[int, Adapter]] = {}
    for (block, module), adapter in adapters.items():
        if module not in fused and module not in single:
            raise ValueError(f"train.target_modules reached {module}, which kohya's layout has no name for")
        name, place = fused[module] if module in fused else (single[module], 0)
        parts.setdefault(f"lora_unet_joint_blocks_{block}_{name}", {})[place] = adapter
    tensors: Tensors = {}
    for name, places in sorted(parts.items()):
        adapter = places[0] if name.rsplit("_", 1)[1] != "qkv" else _fuse(places)
        tensors |= {
            f"{name}.lora_down.weight": adapter.down.contiguous(),
            f"{name}.lora_up.weight": adapter.up.contiguous(),
            f"{name}.alpha": torch.tensor(adapter.scale * adapter.rank),
        }
    return tensors


def _fuse(places: Mapping[int, Adapter]) -> Adapter:
    """One adapter of the q, k, v projection; a part without an adapter is left as it is by rows of zeros."""
    outputs = next(iter(places.values())).up.shape[0]
    chosen = sorted(places)
    down = torch.cat([places[place].down for place in chosen])
    up = torch.zeros(3 * outputs, down.shape[0])
    column = 0
    for place in chosen:
        rank = places[place].rank
        up[place * outputs : (place + 1) * outputs, column : column + rank] = places[place].up
        column += rank
    return Adapter(down, up, places[chosen[0]].scale)


def from_kohya(tensors: Mapping[str, torch.Tensor]) -> dict[tuple[int, str], Adapter]:
    """The adapters of kohya's tensors; of a fused one, each part keeps the whole A and its own rows of B.

    Raises:
        ValueError: a key that is not of the layout.
    """
    halves: dict[tuple[int, str], Tensors] = {}
    for key, tensor in tensors.items():
        found = _KOHYA.fullmatch(key)
        if not found or (found[2] not in FUSED and found[2] not in SINGLE):
            raise ValueError(f"{key} is no key of kohya's layout for Stable Diffusion 3")
        halves.setdefault((int(found[1]), found[2]), {})[found[3]] = tensor.float()
    adapters = {}
    for (block, name), half in halves.items():
        down, up = half["lora_down.weight"], half["lora_up.weight"]
        scale = float(half["alpha"]) / down.shape[0]
        modules = FUSED[name] if name in FUSED else (SINGLE[name],)
        for module, rows in zip(modules, up.chunk(len(modules)), strict=True):
            if rows.any() or name in SINGLE:
                adapters[block, module] = Adapter(down, rows, scale)
    return adapters


def export_kohya(folder: Path, out: Path) -> int:
    """Write the LoRA of a folder in kohya's layout; returns how many projections it changes there.

    Raises:
        ValueError: see `read_adapters` and `to_kohya`.
    """
    tensors = to_kohya(read_adapters(folder))
    out.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, out, metadata={"modelspec.architecture": "stable-diffusion-3-medium/lora", "format": "pt"})
    return len(tensors) // 3
