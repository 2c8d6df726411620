"""Qwen-Image by Alibaba's Qwen team.

Texts are the last hidden states of Qwen2.5-VL after a template, without padding or with a mask. The VAE is a video's:
an image is its first frame, and its latents are scaled per channel. Guidance keeps the length of each token's velocity.
Facts are those of diffusers 0.42.1 (`pipeline_qwenimage.py`, `train_dreambooth_lora_qwen_image.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from anomend.families.family import DISTILLED, Family, Texts, in_blocks, padded
from anomend.families.latent_format import LatentFormat

if TYPE_CHECKING:
    import torch

PATCH = 2
"""Side of a token in latents."""
TILE = 1024
"""Side in pixels from which images are decoded in tiles; the VAE's own 256 would cut every image."""
IN_BLOCK = (
    *(f"attn.{name}" for name in ("to_q", "to_k", "to_v", "to_out.0")),
    *(f"attn.{name}" for name in ("add_q_proj", "add_k_proj", "add_v_proj", "to_add_out")),
    *(f"{part}.net.{layer}" for part in ("img_mlp", "txt_mlp") for layer in ("0.proj", "2")),
    *("img_mod.1", "txt_mod.1"),
)
OUTSIDE = (
    *("img_in", "txt_in", "norm_out.linear", "proj_out"),
    *(f"time_text_embed.timestep_embedder.linear_{layer}" for layer in (1, 2)),
)


class QwenImage(Family):
    """Texts are `embeds`, (tokens, width), padded, and `mask`, (tokens,), true where there is text."""

    title = "Qwen-Image"
    tag = "qwen-image"
    pipeline = "QwenImagePipeline"
    transformer = "QwenImageTransformer2DModel"
    text_parts = ("text_encoder", "tokenizer")
    large_text_encoder = ("text_encoder", "Qwen2_5_VLForConditionalGeneration")
    guided_by_words: ClassVar[dict[str, Any]] = {"negative_prompt": ""}

    def check(self, pipeline: Any) -> None:
        """A distilled model takes guidance as an input."""
        if pipeline.transformer is not None and pipeline.transformer.config.guidance_embeds:
            raise ValueError(DISTILLED.format(name="Qwen-Image"))

    def latent_format(self, **where: Any) -> LatentFormat:
        """From the VAE's configuration alone."""
        import torch
        from diffusers import AutoencoderKLQwenImage

        config = AutoencoderKLQwenImage.load_config(**where)
        means, deviations = (torch.tensor(config[f"latents_{name}"]).view(-1, 1, 1) for name in ("mean", "std"))
        return LatentFormat(scaling_factor=1 / deviations, shift_factor=means)

    def slice_decoder(self, vae: Any) -> None:
        """Tiles of `TILE` pixels, with a quarter's overlap."""
        vae.enable_slicing()
        stride = TILE * 3 // 4
        vae.enable_tiling(
            tile_sample_min_height=TILE,
            tile_sample_min_width=TILE,
            tile_sample_stride_height=stride,
            tile_sample_stride_width=stride,
        )

    def encode(self, pipeline: Any, texts: Sequence[str], max_sequence_length: int) -> Texts:
        """Cut to `max_sequence_length`."""
        embeds, mask = pipeline.encode_prompt(list(texts), max_sequence_length=max_sequence_length)
        rows = list(embeds) if mask is None else [row[kept.bool()] for row, kept in zip(embeds, mask, strict=True)]
        return padded(rows, max_sequence_length)

    def posterior(self, vae: Any, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """An image is a video of one frame."""
        posterior = vae.encode(pixels.unsqueeze(2)).latent_dist
        return posterior.mean.squeeze(2), posterior.std.squeeze(2)

    def posterior_channels(self, vae: Any) -> int:
        """As the VAE's configuration calls them."""
        return int(vae.config.z_dim)

    def velocity(
        self, transformer: Callable[..., Any], latents: torch.Tensor, sigma: torch.Tensor, texts: Texts
    ) -> torch.Tensor:
        """Patches of 2 x 2 latents are tokens."""
        from torch.nn.functional import pixel_shuffle, pixel_unshuffle

        embeds, mask = cut(texts)
        patches = pixel_unshuffle(latents, PATCH)
        height, width = patches.shape[2:]
        velocity: torch.Tensor = transformer(
            hidden_states=patches.flatten(2).transpose(1, 2),
            timestep=sigma,
            guidance=None,
            encoder_hidden_states=embeds,
            encoder_hidden_states_mask=None if bool(mask.all()) else mask,
            img_shapes=[[(1, height, width)]] * len(latents),
            return_dict=False,
        )[0]
        return pixel_shuffle(velocity.transpose(1, 2).unflatten(2, (height, width)), PATCH)

    def wanted(self, texts: Texts) -> dict[str, Any]:
        """Embeddings and their mask."""
        embeds, mask = cut(texts)
        return {"prompt_embeds": embeds, "prompt_embeds_mask": mask.long()}

    def unwanted(self, texts: Texts) -> dict[str, Any]:
        """The same of the negative prompt."""
        embeds, mask = cut(texts)
        return {"negative_prompt_embeds": embeds, "negative_prompt_embeds_mask": mask.long()}

    def guidance(self, scale: float) -> dict[str, Any]:
        """The pipeline's `guidance_scale` is for distilled models."""
        return {"true_cfg_scale": scale}

    def projections(self) -> list[str]:
        """Those of all blocks, and the few outside."""
        return in_blocks({"transformer_blocks": IN_BLOCK}, OUTSIDE)


def cut(texts: Texts) -> tuple[torch.Tensor, torch.Tensor]:
    """Embeddings and mask as long as the longest of the texts."""
    longest = int(texts["mask"].sum(1).max())
    return texts["embeds"][:, :longest], texts["mask"][:, :longest]


FAMILY = QwenImage()
