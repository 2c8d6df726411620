"""Small transformers of Stable Diffusion 3's kinds with adapters far from zero."""

from __future__ import annotations

from typing import Any

import torch
from diffusers import SD3Transformer2DModel
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict

from anomend.diffusion.lora import add_lora
from tests.diffusion.tiny import tiny_transformer

DIM, LAYERS = 16, 3
ATTENTION = ["to_q", "to_k", "to_v", "to_out.0", "add_q_proj", "add_k_proj", "add_v_proj", "to_add_out"]
FEED_FORWARD = ["ff.net.0.proj", "ff.net.2", "ff_context.net.0.proj", "ff_context.net.2"]
EMBEDDERS = ["linear_1", "linear_2", "context_embedder"]
MODULATION = ["norm1.linear", "norm1_context.linear", "norm_out.linear", "proj_out"]
EVERYTHING = [*ATTENTION, *FEED_FORWARD, *EMBEDDERS, *MODULATION]
SD3: dict[str, Any] = {}
SD35_MEDIUM: dict[str, Any] = {"qk_norm": "rms_norm", "dual_attention_layers": (0, 1)}


def transformer_of(config: dict[str, Any]) -> SD3Transformer2DModel:
    model = tiny_transformer(num_layers=LAYERS, **config)
    # Norms start at one: as they are they would not show a mapping that mixes them up.
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return model


def adapted(config: dict[str, Any], modules: list[str], rank: int = 2, alpha: float = 6, **lora: Any) -> Any:
    """A model with an adapter whose every weight is far from 0; alpha is not the rank."""
    model = transformer_of(config)
    if lora:
        model.add_adapter(LoraConfig(r=rank, lora_alpha=alpha, target_modules=modules, **lora))
    else:
        add_lora(model, rank=rank, alpha=alpha, target_modules=modules)
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(parameter.data, std=0.3)
    return model


def peft_deltas(model: Any) -> dict[str, torch.Tensor]:
    """What peft itself adds to each module's weight."""
    return {
        name: module.get_delta_weight("default").detach()
        for name, module in model.named_modules()
        if hasattr(module, "get_delta_weight")
    }


def diffusers_weights(model: Any) -> dict[str, torch.Tensor]:
    return {f"transformer.{key}": value for key, value in get_peft_model_state_dict(model).items()}
