"""A base with Stable Diffusion 3 Medium's shapes and random weights, in diffusers' folder layout.

The images are noise, and everything else is as with the real base: files, parameter counts, memory, seconds a step.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import diffusers
import torch
from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler, SD3Transformer2DModel
from transformers import CLIPTextConfig, CLIPTextModelWithProjection, T5Config, T5EncoderModel, T5TokenizerFast

from anomend.miniature.captions import WORDS
from anomend.project.seeding import torch_generator
from studies.pretraining.text_encoders import LETTERS, build_tokenizer

CLIP_TOKENS, T5_TOKENS = 77, 512
STD = 0.02
BLOCK = 4_194_301
"""Random numbers drawn once and repeated; a prime, so that no two rows of a matrix are equal."""


@dataclass(frozen=True)
class Shapes:
    """Configuration of each component, as in the config.json of the component's folder."""

    transformer: Mapping[str, Any]
    text_encoder: Mapping[str, Any]
    text_encoder_2: Mapping[str, Any]
    text_encoder_3: Mapping[str, Any]
    vae: Mapping[str, Any]


def _clip(*, hidden: int, layers: int, heads: int, activation: str, vocabulary: int = 49408) -> dict[str, Any]:
    return {
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "intermediate_size": 4 * hidden,
        "projection_dim": hidden,
        "hidden_act": activation,
        "max_position_embeddings": CLIP_TOKENS,
        "vocab_size": vocabulary,
    }


_VAE = {
    "in_channels": 3,
    "out_channels": 3,
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
    "latent_channels": 16,
    "scaling_factor": 1.5305,
    "shift_factor": 0.0609,
    "use_quant_conv": False,
    "use_post_quant_conv": False,
    "force_upcast": True,
}
_TRANSFORMER = {"patch_size": 2, "in_channels": 16, "out_channels": 16}

TRUE = Shapes(
    transformer={
        **_TRANSFORMER,
        "sample_size": 128,
        "num_layers": 24,
        "attention_head_dim": 64,
        "num_attention_heads": 24,
        "joint_attention_dim": 4096,
        "caption_projection_dim": 1536,
        "pooled_projection_dim": 2048,
        "pos_embed_max_size": 192,
    },
    text_encoder=_clip(hidden=768, layers=12, heads=12, activation="quick_gelu"),
    text_encoder_2=_clip(hidden=1280, layers=32, heads=20, activation="gelu"),
    text_encoder_3={
        "d_model": 4096,
        "d_ff": 10240,
        "d_kv": 64,
        "num_layers": 24,
        "num_heads": 64,
        "feed_forward_proj": "gated-gelu",
        "vocab_size": 32128,
        "tie_word_embeddings": False,
    },
    vae={**_VAE, "block_out_channels": [128, 256, 512, 512], "layers_per_block": 2, "sample_size": 1024},
)
"""stabilityai/stable-diffusion-3-medium-diffusers."""

SD35_MEDIUM = replace(
    TRUE,
    transformer={
        **TRUE.transformer,
        "pos_embed_max_size": 384,
        "qk_norm": "rms_norm",
        "dual_attention_layers": list(range(13)),
    },
)
"""stabilityai/stable-diffusion-3.5-medium: its transformer; the other parts are those of Stable Diffusion 3."""

SD35_LARGE = replace(
    TRUE,
    transformer={
        **TRUE.transformer,
        "num_layers": 38,
        "num_attention_heads": 38,
        "caption_projection_dim": 2432,
        "qk_norm": "rms_norm",
    },
)
"""stabilityai/stable-diffusion-3.5-large, likewise."""

SHRUNK = Shapes(
    transformer={
        **_TRANSFORMER,
        "sample_size": 16,
        "num_layers": 2,
        "attention_head_dim": 8,
        "num_attention_heads": 2,
        "joint_attention_dim": 32,
        "caption_projection_dim": 16,
        "pooled_projection_dim": 24,
        "pos_embed_max_size": 16,
    },
    text_encoder=_clip(hidden=8, layers=2, heads=2, activation="quick_gelu", vocabulary=1000),
    text_encoder_2=_clip(hidden=16, layers=2, heads=2, activation="gelu", vocabulary=1000),
    text_encoder_3={
        "d_model": 32,
        "d_ff": 64,
        "d_kv": 8,
        "num_layers": 2,
        "num_heads": 4,
        "feed_forward_proj": "gated-gelu",
        "vocab_size": 256,
        "tie_word_embeddings": False,
    },
    vae={**_VAE, "block_out_channels": [8, 8, 8, 8], "layers_per_block": 1, "norm_num_groups": 4, "sample_size": 64},
)
"""The same parts and the same ways through the code, in a few thousand parameters."""

SHAPES = {"true": TRUE, "shrunk": SHRUNK}


def _text_encoder(config: Mapping[str, Any]) -> torch.nn.Module:
    tokenizer = build_tokenizer(CLIP_TOKENS)
    ids = {f"{name}_token_id": getattr(tokenizer, f"{name}_token_id") for name in ("bos", "eos", "pad")}
    return CLIPTextModelWithProjection(CLIPTextConfig(**config, **ids))


_MAKERS: dict[str, Callable[[Mapping[str, Any]], torch.nn.Module]] = {
    "transformer": lambda config: SD3Transformer2DModel(**config),
    "text_encoder": _text_encoder,
    "text_encoder_2": _text_encoder,
    "text_encoder_3": lambda config: T5EncoderModel(T5Config(**config)),
    "vae": lambda config: AutoencoderKL(**config),
}


def build_component(shapes: Shapes, part: str) -> torch.nn.Module:
    """A component in bfloat16 on the meta device: shapes without memory."""
    default = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        with torch.device("meta"):
            return _MAKERS[part](getattr(shapes, part)).eval()
    finally:
        torch.set_default_dtype(default)


def parameter_counts(shapes: Shapes) -> dict[str, int]:
    """Parameters of each component, weights that are shared counted once."""
    parts = [field.name for field in fields(Shapes)]
    return {part: sum(value.numel() for value in build_component(shapes, part).parameters()) for part in parts}


@torch.no_grad()
def fill(model: torch.nn.Module, generator: torch.Generator) -> None:
    """Weights from N(0, 0.02^2), norms 1, biases 0, as at the start of a training.

    One block of random numbers is repeated, from an offset of its own for each weight: billions of fresh ones would
    take minutes.
    """
    device = next(model.parameters()).device
    block = torch.empty(BLOCK).normal_(0, STD, generator=generator).to(device, torch.bfloat16)
    for name, parameter in model.named_parameters():
        if parameter.ndim == 1:
            parameter.fill_(1.0 if name.endswith("weight") else 0.0)
            continue
        offset = int(torch.randint(BLOCK, (), generator=generator))
        values, rolled, start = parameter.view(-1), block.roll(-offset), 0
        while start < len(values):
            size = min(BLOCK, len(values) - start)
            values[start : start + size] = rolled[:size]
            start += size


def random_component(shapes: Shapes, part: str, seed: int, device: torch.device | str = "cpu") -> torch.nn.Module:
    """A component with random weights, in bfloat16; they are the same on every device."""
    model: Any = build_component(shapes, part).to_empty(device=device)
    if part.startswith("text_encoder"):
        model.tie_weights()
        for module in model.modules():
            # Not in a file of weights: a model that is loaded from one makes them anew.
            if "position_ids" in module._buffers:
                module.position_ids = torch.arange(module.position_ids.shape[-1], device=device)[None]
    if part == "transformer":
        # Position embeddings are computed, not drawn; a model without blocks has them too.
        blockless = SD3Transformer2DModel(**{**shapes.transformer, "num_layers": 0})
        model.pos_embed.pos_embed = blockless.pos_embed.pos_embed.to(device, torch.bfloat16)
    fill(model, torch_generator(seed, part))
    return model


def build_t5_tokenizer() -> T5TokenizerFast:
    """A T5 tokenizer in which each word of the grammar is one token and any other word is spelled in letters."""
    special = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", -20.0)]
    words = [(f"▁{word}", -math.log(len(WORDS))) for word in dict.fromkeys(WORDS)]
    taken = {word for word, _ in words}
    letters = [(piece, -10.0) for piece in ("▁", *LETTERS) if piece not in taken]
    return T5TokenizerFast(vocab=[*special, *words, *letters], model_max_length=T5_TOKENS)


def write_random_base(folder: Path, shapes: Shapes, seed: int) -> None:
    """Write a pipeline for `StableDiffusion3Pipeline.from_pretrained(folder)`, one component in memory at a time.

    Args:
        folder: where to; `model_index.json` appears when all else is there.
        shapes: `TRUE` (16 GB on disk) or `SHRUNK`.
        seed: of the weights.
    """
    folder.mkdir(parents=True, exist_ok=True)
    index: dict[str, Any] = {
        "_class_name": "StableDiffusion3Pipeline",
        "_diffusers_version": diffusers.__version__,
        "feature_extractor": [None, None],
        "image_encoder": [None, None],
    }
    FlowMatchEulerDiscreteScheduler(num_train_timesteps=1000, shift=3.0).save_pretrained(folder / "scheduler")
    index["scheduler"] = ["diffusers", "FlowMatchEulerDiscreteScheduler"]
    for name in ("tokenizer", "tokenizer_2"):
        build_tokenizer(CLIP_TOKENS).save_pretrained(folder / name)
        index[name] = ["transformers", "CLIPTokenizer"]
    build_t5_tokenizer().save_pretrained(folder / "tokenizer_3")
    index["tokenizer_3"] = ["transformers", "T5TokenizerFast"]
    for part in (field.name for field in fields(Shapes)):
        model: Any = random_component(shapes, part, seed)
        model.save_pretrained(folder / part, max_shard_size="5GB")
        library = "transformers" if part.startswith("text_encoder") else "diffusers"
        index[part] = [library, type(model).__name__]
        print(f"{part}: {sum(value.numel() for value in model.parameters()):,} parameters", flush=True)
        del model
    (folder / "model_index.json").write_text(json.dumps(dict(sorted(index.items())), indent=2) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--shapes", choices=SHAPES, default="true")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    write_random_base(chosen.folder, SHAPES[chosen.shapes], chosen.seed)
