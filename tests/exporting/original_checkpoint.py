"""A transformer as a checkpoint of the original code, and a LoRA file applied to it: by hand, for the tests."""

from __future__ import annotations

import torch
from diffusers import SD3Transformer2DModel

Weights = dict[str, torch.Tensor]


def original_checkpoint(model: SD3Transformer2DModel) -> Weights:
    """q, k and v stacked; shift before scale where there are only these two."""
    weights, layers = model.state_dict(), model.config.num_layers
    checkpoint = {"pos_embed": weights["pos_embed.pos_embed"]}

    def copy(to: str, *names: str, swap: bool = False) -> None:
        for end in ("weight", "bias"):
            value = torch.cat([weights[f"{name}.{end}"] for name in names])
            half = len(value) // 2
            checkpoint[f"{to}.{end}"] = torch.cat([value[half:], value[:half]]) if swap else value

    copy("x_embedder.proj", "pos_embed.proj")
    copy("context_embedder", "context_embedder")
    for number, linear in ((0, "linear_1"), (2, "linear_2")):
        copy(f"t_embedder.mlp.{number}", f"time_text_embed.timestep_embedder.{linear}")
        copy(f"y_embedder.mlp.{number}", f"time_text_embed.text_embedder.{linear}")
    copy("final_layer.linear", "proj_out")
    copy("final_layer.adaLN_modulation.1", "norm_out.linear", swap=True)
    for index in range(layers):
        block, joint, last = f"transformer_blocks.{index}.", f"joint_blocks.{index}.", index == layers - 1
        dual = index in model.config.dual_attention_layers
        x, context = joint + "x_block.", joint + "context_block."
        copy(x + "attn.qkv", *(f"{block}attn.to_{part}" for part in "qkv"))
        copy(context + "attn.qkv", *(f"{block}attn.add_{part}_proj" for part in "qkv"))
        copy(x + "attn.proj", block + "attn.to_out.0")
        copy(x + "mlp.fc1", block + "ff.net.0.proj")
        copy(x + "mlp.fc2", block + "ff.net.2")
        copy(x + "adaLN_modulation.1", block + "norm1.linear")
        copy(context + "adaLN_modulation.1", block + "norm1_context.linear", swap=last)
        if dual:
            copy(x + "attn2.qkv", *(f"{block}attn2.to_{part}" for part in "qkv"))
            copy(x + "attn2.proj", block + "attn2.to_out.0")
        if not last:
            copy(context + "attn.proj", block + "attn.to_add_out")
            copy(context + "mlp.fc1", block + "ff_context.net.0.proj")
            copy(context + "mlp.fc2", block + "ff_context.net.2")
        for part in "qk" if model.config.qk_norm else "":
            checkpoint[f"{x}attn.ln_{part}.weight"] = weights[f"{block}attn.norm_{part}.weight"]
            checkpoint[f"{context}attn.ln_{part}.weight"] = weights[f"{block}attn.norm_added_{part}.weight"]
            if dual:
                checkpoint[f"{x}attn2.ln_{part}.weight"] = weights[f"{block}attn2.norm_{part}.weight"]
    return checkpoint


def applied(checkpoint: Weights, lora: Weights) -> Weights:
    """As ComfyUI and sd-scripts apply a file: keys from the model's own names; weight + alpha / rank * up @ down."""
    result, used = {}, set()
    for name, weight in checkpoint.items():
        key = "lora_unet_" + name.removesuffix(".weight").replace(".", "_")
        keys = [f"{key}.{part}" for part in ("lora_down.weight", "lora_up.weight", "alpha")]
        if name.endswith(".weight") and keys[0] in lora:
            down, up, alpha = (lora[key] for key in keys)
            weight = weight + alpha / down.shape[0] * up @ down
            used |= set(keys)
        result[name] = weight
    assert used == lora.keys(), "keys that no module of the original has"
    return result
