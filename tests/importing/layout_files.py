"""One LoRA as a file of each program, by the key names in their sources (cited in anomend/importing/keys.py).

Written by hand for the tests: nothing here uses the code that reads.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file

Lora = Mapping[str, tuple[torch.Tensor, torch.Tensor]]
"""By diffusers' module: (rank, inputs) and (outputs, rank)."""
Tensors = dict[str, torch.Tensor]

QKV = {
    "attn.to_q": ("x_block.attn.qkv", 0),
    "attn.to_k": ("x_block.attn.qkv", 1),
    "attn.to_v": ("x_block.attn.qkv", 2),
    "attn.add_q_proj": ("context_block.attn.qkv", 0),
    "attn.add_k_proj": ("context_block.attn.qkv", 1),
    "attn.add_v_proj": ("context_block.attn.qkv", 2),
}
PLAIN = {
    "attn.to_out.0": "x_block.attn.proj",
    "attn.to_add_out": "context_block.attn.proj",
    "ff.net.0.proj": "x_block.mlp.fc1",
    "ff.net.2": "x_block.mlp.fc2",
    "ff_context.net.0.proj": "context_block.mlp.fc1",
    "ff_context.net.2": "context_block.mlp.fc2",
    "norm1.linear": "x_block.adaLN_modulation.1",
    "norm1_context.linear": "context_block.adaLN_modulation.1",
}
OUTSIDE = {
    "context_embedder": "context_embedder",
    "proj_out": "final_layer.linear",
    "norm_out.linear": "final_layer.adaLN_modulation.1",
    "time_text_embed.timestep_embedder.linear_1": "t_embedder.mlp.0",
    "time_text_embed.timestep_embedder.linear_2": "t_embedder.mlp.2",
    "time_text_embed.text_embedder.linear_1": "y_embedder.mlp.0",
    "time_text_embed.text_embedder.linear_2": "y_embedder.mlp.2",
}


def originals(lora: Lora, alpha: float) -> dict[str, tuple[torch.Tensor, torch.Tensor, float]]:
    """By the original code's module: down, up and alpha; q, k and v fused, shift before scale."""
    found: dict[str, tuple[torch.Tensor, torch.Tensor, float]] = {}
    fused: dict[str, dict[int, tuple[torch.Tensor, torch.Tensor]]] = {}
    last = max(int(name.split(".")[1]) for name in lora if name.startswith("transformer_blocks."))
    for name, (down, up) in lora.items():
        if name in OUTSIDE:
            if name == "norm_out.linear":
                up = torch.cat([up[len(up) // 2 :], up[: len(up) // 2]])
            found[OUTSIDE[name]] = (down, up, alpha)
            continue
        _, block, part = name.split(".", 2)
        if part in QKV:
            original, row = QKV[part]
            fused.setdefault(f"joint_blocks.{block}.{original}", {})[row] = (down, up)
            continue
        if part == "norm1_context.linear" and int(block) == last:
            up = torch.cat([up[len(up) // 2 :], up[: len(up) // 2]])
        found[f"joint_blocks.{block}.{PLAIN[part]}"] = (down, up, alpha)
    for original, parts in fused.items():
        rank, outputs = parts[0][0].shape[0], parts[0][1].shape[0]
        up = torch.zeros(3 * outputs, 3 * rank)
        for row in range(3):
            up[row * outputs : (row + 1) * outputs, row * rank : (row + 1) * rank] = parts[row][1]
        # Three times the rank, so three times the alpha: alpha / rank is the factor.
        found[original] = (torch.cat([parts[row][0] for row in range(3)]), up, 3 * alpha)
    return found


def pairs(lora: Lora, key: Callable[[str], str], down: str, up: str) -> Tensors:
    tensors: Tensors = {}
    for name, (low, high) in lora.items():
        tensors |= {f"{key(name)}.{down}.weight": low, f"{key(name)}.{up}.weight": high}
    return tensors


def alphas(names: Mapping[str, float] | Lora, key: Callable[[str], str], alpha: float) -> Tensors:
    return {f"{key(name)}.alpha": torch.tensor(alpha) for name in names}


def folded(lora: Lora, scale: float) -> Lora:
    return {name: (down, scale * up) for name, (down, up) in lora.items()}


def flat(prefix: str) -> Callable[[str], str]:
    return lambda name: prefix + name.replace(".", "_")


def dotted(prefix: str) -> Callable[[str], str]:
    return lambda name: prefix + name


def of_originals(lora: Lora, alpha: float, key: Callable[[str], str], down: str, up: str) -> Tensors:
    tensors: Tensors = {}
    for name, (low, high, own_alpha) in originals(lora, alpha).items():
        tensors |= {f"{key(name)}.{down}.weight": low, f"{key(name)}.{up}.weight": high}
        tensors[f"{key(name)}.alpha"] = torch.tensor(own_alpha)
    return tensors


def write_layouts(lora: Lora, *, rank: int, alpha: float, folder: Path) -> dict[str, Path]:
    """A file per layout, and PEFT's folder; by name."""
    config: dict[str, object] = {
        "r": rank,
        "lora_alpha": alpha,
        "use_rslora": False,
        "use_dora": False,
        "peft_type": "LORA",
    }
    config["target_modules"] = sorted(lora)
    metadata = {"format": "pt", "lora_adapter_metadata": json.dumps(config)}
    prefixed = {"lora_adapter_metadata": json.dumps({f"transformer.{key}": value for key, value in config.items()})}
    none: dict[str, str] = {}
    lora_ab, lora_updown = ("lora_A", "lora_B"), ("lora_down", "lora_up")
    transformer, whole = dotted("transformer."), folded(lora, alpha / rank)
    files: dict[str, tuple[Tensors, dict[str, str]]] = {
        "diffusers": (pairs(lora, transformer, *lora_ab), prefixed),
        "ai-toolkit": (pairs(whole, transformer, *lora_ab), {"software": "{}"}),
        "SimpleTuner": (pairs(lora, transformer, *lora_ab), prefixed),
        "SimpleTuner comfyui": (
            pairs(lora, dotted("diffusion_model."), *lora_ab) | alphas(lora, dotted("diffusion_model."), alpha),
            metadata,
        ),
        "OneTrainer diffusers": (pairs(whole, transformer, *lora_ab), none),
        "OneTrainer legacy": (
            pairs(lora, flat("lora_transformer_"), *lora_updown) | alphas(lora, flat("lora_transformer_"), alpha),
            none,
        ),
        "OneTrainer original": (of_originals(lora, alpha, dotted(""), *lora_ab), none),
        "ComfyUI": (of_originals(lora, alpha, dotted("diffusion_model."), *lora_ab), none),
        "ComfyUI down up": (of_originals(lora, alpha, dotted("diffusion_model."), *lora_updown), none),
        "kohya": (of_originals(lora, alpha, flat("lora_unet_"), *lora_updown), {"ss_network_dim": str(rank)}),
        "LyCORIS": (pairs(lora, flat("lycoris_"), *lora_updown) | alphas(lora, flat("lycoris_"), alpha), none),
    }
    paths = {}
    for name, (tensors, about) in files.items():
        paths[name] = folder / f"{name.replace(' ', '_')}.safetensors"
        save_file({key: value.contiguous() for key, value in tensors.items()}, paths[name], about)
    paths["PEFT"] = folder / "peft"
    paths["PEFT"].mkdir()
    save_file(pairs(lora, dotted("base_model.model."), *lora_ab), paths["PEFT"] / "adapter_model.safetensors", none)
    (paths["PEFT"] / "adapter_config.json").write_text(json.dumps(config))
    return paths
