"""A tiny base with random weights for each family, in the hub's layout.

It is made of diffusers' and transformers' own classes, with a tokenizer that is built here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    AutoencoderKLFlux2,
    AutoencoderKLQwenImage,
    ChromaPipeline,
    ChromaTransformer2DModel,
    FlowMatchEulerDiscreteScheduler,
    Flux2KleinPipeline,
    Flux2Transformer2DModel,
    QwenImagePipeline,
    QwenImageTransformer2DModel,
    ZImagePipeline,
    ZImageTransformer2DModel,
)
from tokenizers.pre_tokenizers import ByteLevel
from transformers import (
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2Tokenizer,
    Qwen3Config,
    Qwen3ForCausalLM,
    Qwen3Model,
    T5Config,
    T5EncoderModel,
)

from anomend.diffusion.embeddings import EncodedSet
from anomend.families.family import padded
from anomend.families.latent_format import LatentFormat
from anomend.families.table import family_of
from anomend.training.data import TrainingData
from studies.rehearsal.random_base import build_t5_tokenizer

SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "<|im_start|>assistant\n{% if not enable_thinking %}<think>\n\n</think>\n\n{% endif %}"
)
"""As Qwen3 frames a prompt."""
WIDTH = 8
VAE: dict[str, Any] = {
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
    "block_out_channels": [4] * 4,
    "layers_per_block": 1,
    "norm_num_groups": 2,
    "latent_channels": 4,
    "sample_size": 64,
    "use_quant_conv": False,
    "use_post_quant_conv": False,
}


def tokenizer() -> Qwen2Tokenizer:
    """Each byte is a token."""
    letters = sorted(ByteLevel.alphabet())
    vocabulary = {token: number for number, token in enumerate([*letters, *SPECIAL])}
    made = Qwen2Tokenizer(vocab=vocabulary, merges=[], additional_special_tokens=list(SPECIAL[1:]))
    made.chat_template = TEMPLATE
    return made


def qwen3(layers: int) -> Qwen3Config:
    return Qwen3Config(
        hidden_size=WIDTH,
        intermediate_size=16,
        num_hidden_layers=layers,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=4,
        vocab_size=len(tokenizer()),
    )


def flux2_klein() -> Any:
    """The text encoder has the 27 layers whose states the pipeline reads."""
    vae = AutoencoderKLFlux2(**VAE)
    vae.bn.running_mean.normal_(0, 0.3)
    vae.bn.running_var.uniform_(0.5, 2)
    return Flux2KleinPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0, use_dynamic_shifting=True),
        vae=vae,
        text_encoder=Qwen3ForCausalLM(qwen3(28)),
        tokenizer=tokenizer(),
        transformer=Flux2Transformer2DModel(
            in_channels=16,
            num_layers=2,
            num_single_layers=2,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=3 * WIDTH,
            axes_dims_rope=(4, 4, 4, 4),
            guidance_embeds=False,
        ),
    )


def z_image() -> Any:
    transformer = ZImageTransformer2DModel(
        in_channels=4,
        dim=32,
        n_layers=2,
        n_refiner_layers=1,
        n_heads=2,
        n_kv_heads=2,
        cap_feat_dim=WIDTH,
        axes_dims=[8, 4, 4],
        axes_lens=[256, 32, 32],
    )
    for token in (transformer.x_pad_token, transformer.cap_pad_token):
        token.data.normal_()
    return ZImagePipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=AutoencoderKL(**VAE, scaling_factor=0.3611, shift_factor=0.1159),
        text_encoder=Qwen3Model(qwen3(2)),
        tokenizer=tokenizer(),
        transformer=transformer,
    )


def qwen_image() -> Any:
    config = Qwen2_5_VLConfig(
        text_config={
            "hidden_size": 2 * WIDTH,
            "intermediate_size": 16,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "rope_scaling": {"mrope_section": [1, 1, 2], "rope_type": "default", "type": "default"},
            "vocab_size": len(tokenizer()),
        },
        vision_config={"depth": 1, "hidden_size": 16, "intermediate_size": 16, "num_heads": 2, "out_hidden_size": 16},
    )
    return QwenImagePipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
        vae=AutoencoderKLQwenImage(
            base_dim=4,
            z_dim=4,
            dim_mult=[1, 1, 1, 1],
            num_res_blocks=1,
            temperal_downsample=[False, True, True],
            latents_mean=[0.3, -0.2, 0.1, 0.4],
            latents_std=[1.5, 0.7, 2.0, 1.1],
        ),
        text_encoder=Qwen2_5_VLForConditionalGeneration(config),
        tokenizer=tokenizer(),
        transformer=QwenImageTransformer2DModel(
            in_channels=16,
            out_channels=4,
            num_layers=2,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=2 * WIDTH,
            axes_dims_rope=(8, 4, 4),
        ),
    )


def chroma() -> Any:
    words = build_t5_tokenizer()
    return ChromaPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=AutoencoderKL(**VAE, scaling_factor=0.3611, shift_factor=0.1159),
        text_encoder=T5EncoderModel(
            T5Config(vocab_size=len(words), d_model=WIDTH, d_kv=4, d_ff=16, num_layers=2, num_heads=2)
        ),
        tokenizer=words,
        transformer=ChromaTransformer2DModel(
            in_channels=16,
            num_layers=2,
            num_single_layers=2,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=WIDTH,
            axes_dims_rope=(4, 4, 8),
            approximator_num_channels=16,
            approximator_hidden_dim=16,
            approximator_layers=2,
        ),
    )


def klein_latents(vae: Any, latents: torch.Tensor) -> torch.Tensor:
    """Patches of 2 x 2 as channels, normalised as by the VAE's batch normalisation."""
    deviation = (vae.bn.running_var + vae.config.batch_norm_eps).sqrt().view(1, -1, 1, 1)
    return (Flux2KleinPipeline._patchify_latents(latents) - vae.bn.running_mean.view(1, -1, 1, 1)) / deviation


def qwen_latents(vae: Any, latents: torch.Tensor) -> torch.Tensor:
    """Normalised per channel."""
    mean, deviation = (
        torch.tensor(values).view(1, -1, 1, 1) for values in (vae.config.latents_mean, vae.config.latents_std)
    )
    return (latents - mean) / deviation


@dataclass(frozen=True, kw_only=True)
class TinyBase:
    """A family's base in small, and what its tests have to know besides."""

    make: Callable[[], Any]
    """diffusers' pipeline with random weights; its VAE makes 8 pixels one latent."""
    call: Callable[[float], dict[str, Any]]
    """Arguments of the pipeline's call besides the prompt, for a guidance scale of which 1 is none."""
    latents: Callable[[Any, torch.Tensor], torch.Tensor]
    """By hand, what `latent_format` makes of the VAE's latents, (B, C, h, w); takes the VAE and these."""
    video: bool = False
    """Whether the VAE takes and gives frames, (B, C, 1, H, W)."""
    distilled: tuple[str, str] | None = None
    """File and key that tell a distilled model of this class; None: nothing does."""


BASES: dict[str, TinyBase] = {
    "flux2-klein": TinyBase(
        make=flux2_klein,
        call=lambda scale: {"guidance_scale": scale},
        latents=klein_latents,
        distilled=("model_index.json", "is_distilled"),
    ),
    "z-image": TinyBase(
        make=z_image,
        # It counts from the prompt on: its 3 is the 4 of others.
        call=lambda scale: {"guidance_scale": scale - 1},
        latents=lambda _, latents: (latents - 0.1159) * 0.3611,
    ),
    "qwen-image": TinyBase(
        make=qwen_image,
        call=lambda scale: {"true_cfg_scale": scale, **({"negative_prompt": ""} if scale > 1 else {})},
        latents=qwen_latents,
        video=True,
        distilled=("transformer/config.json", "guidance_embeds"),
    ),
    "chroma": TinyBase(
        make=chroma,
        call=lambda scale: {"guidance_scale": scale},
        latents=lambda _, latents: (latents - 0.1159) * 0.3611,
    ),
}
"""By name in the table of bases."""


def tiny_training(name: str) -> tuple[Any, TrainingData]:
    """The transformer of a tiny base, and encoded images and texts to match, without a VAE or a text encoder."""
    torch.manual_seed(3)
    transformer = BASES[name].make().transformer
    family, config = family_of(transformer), transformer.config
    width = config["joint_attention_dim"] if "joint_attention_dim" in config else config["cap_feat_dim"]

    def encoded(count: int, key: int) -> EncodedSet:
        generator = torch.Generator().manual_seed(key)
        texts = padded([torch.randn(length, width, generator=generator) for length in (3, 5)], 6)
        return EncodedSet(
            ids=[f"{index}.png" for index in range(count)],
            mean=torch.randn(count, 1, 4, 4, 4, generator=generator),
            std=torch.full((count, 1, 4, 4, 4), 0.1),
            caption=torch.arange(count) % 2,
            captions=["lying on the grass", "lying on the street"],
            texts=texts,
            prompts=[("lying on the grass", "lying on the street")[index % 2] for index in range(count)],
        )

    return transformer, TrainingData(encoded(5, 1), encoded(4, 2), LatentFormat(1.5, 0.06, family.latent_patch))


def write_tiny_base(folder: Path, name: str) -> None:
    """Write the base, the same weights each time."""
    torch.manual_seed(3)
    with torch.no_grad():
        pipeline = BASES[name].make()
        # Enough contrast that images differ by many grey levels.
        pipeline.vae.decoder.conv_out.weight.mul_(8)
    pipeline.save_pretrained(folder)
