"""Put the miniature's parts together into diffusers' StableDiffusion3Pipeline."""

from __future__ import annotations

from pathlib import Path

from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler, SD3Transformer2DModel, StableDiffusion3Pipeline
from transformers import CLIPTextModelWithProjection, CLIPTokenizer

SAMPLING_SHIFT = 1.0
"""Timestep shift of the scheduler; Stable Diffusion 3 has 3.0 at 1024 x 1024, small pictures need none."""
T5_TOKENS = 1
"""Length of the T5 part of the text, which is zeros here because there is no T5: the shortest that the pipeline takes.
Training and sampling must use the same length."""


def build_transformer(
    *, layers: int, heads: int, head_dim: int, text_width: int, latent_channels: int
) -> SD3Transformer2DModel:
    """A Stable Diffusion 3 transformer over 16 x 16 latents in patches of 2.

    Args:
        layers: joint (image and text) attention blocks.
        heads: attention heads per block.
        head_dim: width of a head.
        text_width: width of the concatenated CLIP states, and of the pooled embedding.
        latent_channels: channels of the VAE's latents.
    """
    return SD3Transformer2DModel(
        sample_size=16,
        patch_size=2,
        in_channels=latent_channels,
        out_channels=latent_channels,
        num_layers=layers,
        num_attention_heads=heads,
        attention_head_dim=head_dim,
        joint_attention_dim=text_width,
        caption_projection_dim=heads * head_dim,
        pooled_projection_dim=text_width,
        pos_embed_max_size=16,
    )


def build_pipeline(
    transformer: SD3Transformer2DModel, autoencoder: Path, text_encoders: Path
) -> StableDiffusion3Pipeline:
    """Assemble a pipeline from a transformer and the folders of the other parts."""
    pipeline = StableDiffusion3Pipeline(
        transformer=transformer,
        scheduler=FlowMatchEulerDiscreteScheduler(num_train_timesteps=1000, shift=SAMPLING_SHIFT),
        vae=AutoencoderKL.from_pretrained(autoencoder),
        text_encoder=CLIPTextModelWithProjection.from_pretrained(text_encoders / "text_encoder"),
        tokenizer=CLIPTokenizer.from_pretrained(text_encoders / "tokenizer"),
        text_encoder_2=CLIPTextModelWithProjection.from_pretrained(text_encoders / "text_encoder_2"),
        tokenizer_2=CLIPTokenizer.from_pretrained(text_encoders / "tokenizer_2"),
        text_encoder_3=None,
        tokenizer_3=None,
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline
