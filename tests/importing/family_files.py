"""One LoRA of each family as a file of each program, by hand, like layout_files.py.

Key names as the programs' own sources have them, besides those cited in anomend/importing/keys.py:

- ai-toolkit 27a03a91, `convert_lora_weights_before_save` of `flux2/flux2_model.py`, `z_image/z_image.py`,
  `qwen_image/qwen_image.py` and `chroma/chroma_model.py` in `extensions_built_in/diffusion_models`: `diffusion_model.`,
  and the names of the model that it trains, for FLUX.2 and Chroma the original code (`flux2/src/model.py`,
  `chroma/src/layers.py`).
- musubi-tuner 30c658c4, `lora_flux_2.py`, `lora_zimage.py` and `lora_qwen_image.py` in `src/musubi_tuner/networks`:
  `lora_unet_` and the flat names of the model that it trains; `convert_z_image_lora_to_comfy.py` beside them has the
  original names of Z-Image.
- sd-scripts 48d368fa, `networks/lora_flux.py`: Chroma as Flux, `lora_unet_` and the original code's flat names.
- SimpleTuner bc8e6ab7, `convert_diffusers_to_comfyui`: `diffusion_model.`, diffusers' names and `.alpha`.
- OneTrainer 23df3832, `modules/modelSaver/flux2/Flux2LoRASaver.py` and its like: diffusers' names unconverted.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

RANK, ALPHA, WIDTH = 4, 6.0, 5
"""Width is that of all inputs and, but for one module of Chroma, of all outputs."""
MLP = 12288
"""Outputs of Chroma's `proj_mlp`, for which diffusers' converter knows no other number; its q, k and v have 3072."""
Originals = Mapping[str, tuple[str, ...]]
"""By the original code's module: diffusers' modules, which it has in one."""
FLUX: Originals = {
    "double_blocks.1.img_attn.qkv": tuple(f"transformer_blocks.1.attn.to_{part}" for part in "qkv"),
    "double_blocks.1.img_attn.proj": ("transformer_blocks.1.attn.to_out.0",),
    "double_blocks.0.txt_attn.qkv": tuple(f"transformer_blocks.0.attn.add_{part}_proj" for part in "qkv"),
}
ORIGINALS: dict[str, Originals] = {
    "flux2-klein": {
        **FLUX,
        "double_blocks.0.txt_mlp.2": ("transformer_blocks.0.ff_context.linear_out",),
        "single_blocks.1.linear1": ("single_transformer_blocks.1.attn.to_qkv_mlp_proj",),
        "single_blocks.0.linear2": ("single_transformer_blocks.0.attn.to_out",),
    },
    "chroma": {
        **FLUX,
        "double_blocks.0.txt_mlp.2": ("transformer_blocks.0.ff_context.net.2",),
        "single_blocks.1.linear1": (
            *(f"single_transformer_blocks.1.attn.to_{part}" for part in "qkv"),
            "single_transformer_blocks.1.proj_mlp",
        ),
        "single_blocks.0.linear2": ("single_transformer_blocks.0.proj_out",),
    },
    "z-image": {
        "layers.1.attention.qkv": tuple(f"layers.1.attention.to_{part}" for part in "qkv"),
        "layers.1.attention.out": ("layers.1.attention.to_out.0",),
        "layers.0.feed_forward.w2": ("layers.0.feed_forward.w2",),
        "noise_refiner.0.attention.out": ("noise_refiner.0.attention.to_out.0",),
    },
    # Its original code is diffusers'.
    "qwen-image": {
        name: (name,)
        for name in (
            *(f"transformer_blocks.1.attn.{part}" for part in ("to_q", "to_out.0", "add_k_proj", "to_add_out")),
            *(f"transformer_blocks.0.{part}" for part in ("img_mlp.net.2", "txt_mlp.net.0.proj", "img_mod.1")),
        )
    },
}
"""By base."""
TRAINED_AS_DIFFUSERS = ("z-image", "qwen-image")
"""What ai-toolkit and musubi-tuner train by diffusers' names."""


def lora_of(base: str) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """By diffusers' module, matrices of noise."""
    generator = torch.Generator().manual_seed(8)

    def pair(name: str) -> tuple[torch.Tensor, torch.Tensor]:
        single = base == "chroma" and name.startswith("single_transformer_blocks.1.")
        outputs = (MLP if name.endswith("proj_mlp") else MLP // 4) if single else WIDTH
        return torch.randn(RANK, WIDTH, generator=generator), torch.randn(outputs, RANK, generator=generator)

    return {name: pair(name) for names in ORIGINALS[base].values() for name in names}


@dataclass(frozen=True, kw_only=True)
class FamilyFile:
    """A file's content."""

    weights: dict[str, torch.Tensor]
    metadata: dict[str, str]
    peft_config: dict[str, Any] | None = None


def family_files(base: str) -> dict[str, FamilyFile]:
    """By program."""
    lora, scale = lora_of(base), ALPHA / RANK
    fused = {name: _in_one([lora[part] for part in parts]) for name, parts in ORIGINALS[base].items()}
    trained = lora if base in TRAINED_AS_DIFFUSERS else fused
    config = {"r": RANK, "lora_alpha": ALPHA, "use_rslora": False, "peft_type": "LORA"}
    metadata = {"lora_adapter_metadata": json.dumps({f"transformer.{key}": value for key, value in config.items()})}
    ab, updown = ("lora_A", "lora_B"), ("lora_down", "lora_up")

    def written(pairs: Any, prefix: str, parts: Any, *, flat: bool = False, folded: float = 1, alpha: bool) -> Any:
        weights: dict[str, torch.Tensor] = {}
        for name, (down, up) in pairs.items():
            key = prefix + (name.replace(".", "_") if flat else name)
            weights |= {f"{key}.{parts[0]}.weight": down, f"{key}.{parts[1]}.weight": folded * up}
            weights |= {f"{key}.alpha": torch.tensor(len(down) * scale)} if alpha else {}
        return weights

    def of(weights: Any, about: dict[str, str] | None = None, peft: Any = None) -> FamilyFile:
        return FamilyFile(weights=weights, metadata=about or {}, peft_config=peft)

    return {
        "diffusers": of(written(lora, "transformer.", ab, alpha=False), metadata),
        "PEFT": of(written(lora, "base_model.model.", ab, alpha=False), peft=config),
        "ai-toolkit": of(written(trained, "diffusion_model.", ab, folded=scale, alpha=False)),
        "SimpleTuner comfyui": of(written(lora, "diffusion_model.", ab, alpha=True), metadata),
        "OneTrainer": of(written(lora, "transformer.", updown, alpha=True)),
        "OneTrainer flat": of(written(lora, "lora_transformer_", updown, flat=True, alpha=True)),
        "LyCORIS": of(written(lora, "lycoris_", updown, flat=True, alpha=True)),
        "kohya": of(written(trained, "lora_unet_", updown, flat=True, alpha=True)),
        "kohya of the original code": of(written(fused, "lora_unet_", updown, flat=True, alpha=True)),
        "ComfyUI": of(written(fused, "diffusion_model.", updown, alpha=True)),
        "ComfyUI A B": of(written(fused, "diffusion_model.", ab, alpha=True)),
        "original": of(written(fused, "", ab, alpha=True)),
    }


def _in_one(pairs: list[tuple[torch.Tensor, torch.Tensor]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Modules with the same input as one, whose rank is the sum."""
    return torch.cat([down for down, _ in pairs]), torch.block_diag(*(up for _, up in pairs))
