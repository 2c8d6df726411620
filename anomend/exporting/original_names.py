"""Modules of Stable Diffusion 3's transformer: diffusers' names and those of the original code.

By the table with which diffusers converts an original checkpoint (`convert_sd3_transformer_checkpoint_to_diffusers`,
0.42.1). The original stacks q, k and v in one `qkv`.
"""

from __future__ import annotations

import re

_FUSED = {
    "x_block.attn.qkv": ("attn.to_q", "attn.to_k", "attn.to_v"),
    "context_block.attn.qkv": ("attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj"),
    "x_block.attn2.qkv": ("attn2.to_q", "attn2.to_k", "attn2.to_v"),
}
_IN_BLOCK = {
    "x_block.attn.proj": "attn.to_out.0",
    "context_block.attn.proj": "attn.to_add_out",
    "x_block.attn2.proj": "attn2.to_out.0",
    "x_block.mlp.fc1": "ff.net.0.proj",
    "x_block.mlp.fc2": "ff.net.2",
    "context_block.mlp.fc1": "ff_context.net.0.proj",
    "context_block.mlp.fc2": "ff_context.net.2",
    "x_block.adaLN_modulation.1": "norm1.linear",
    "context_block.adaLN_modulation.1": "norm1_context.linear",
}
_OUTSIDE = {
    "context_embedder": "context_embedder",
    "t_embedder.mlp.0": "time_text_embed.timestep_embedder.linear_1",
    "t_embedder.mlp.2": "time_text_embed.timestep_embedder.linear_2",
    "y_embedder.mlp.0": "time_text_embed.text_embedder.linear_1",
    "y_embedder.mlp.2": "time_text_embed.text_embedder.linear_2",
    "final_layer.adaLN_modulation.1": "norm_out.linear",
    "final_layer.linear": "proj_out",
}
# Per table: the original's name, and diffusers' parts of it.
_BLOCK_PARTS = _FUSED | {original: (name,) for original, name in _IN_BLOCK.items()}
_OUTSIDE_PARTS = {original: (name,) for original, name in _OUTSIDE.items()}


def original_name(module: str) -> tuple[str, int]:
    """The original's module that contains diffusers' `module`, and which of its parts (0 to 2 in a `qkv`, else 0).

    Raises:
        ValueError: the original has none.
    """
    block = re.fullmatch(r"transformer_blocks\.(\d+)\.(.+)", module)
    name, prefix, table = (
        (block[2], f"joint_blocks.{block[1]}.", _BLOCK_PARTS) if block else (module, "", _OUTSIDE_PARTS)
    )
    for original, parts in table.items():
        if name in parts:
            return prefix + original, parts.index(name)
    raise ValueError(
        f"{module} has an adapter, but the original layout has no place for it: leave it out of train.target_modules"
    )


def diffusers_names(key: str) -> tuple[str, ...]:
    """diffusers' modules in the original's module of that key (its name with `_` for `.`): q, k, v for a `qkv`.

    Raises:
        ValueError: there is no such module.
    """
    block = re.fullmatch(r"joint_blocks_(\d+)_(.+)", key)
    name, prefix, table = (
        (block[2], f"transformer_blocks.{block[1]}.", _BLOCK_PARTS) if block else (key, "", _OUTSIDE_PARTS)
    )
    for original, parts in table.items():
        if name == original.replace(".", "_"):
            return tuple(prefix + part for part in parts)
    raise ValueError(f"{key} is not a module of Stable Diffusion 3's transformer: check the file")
