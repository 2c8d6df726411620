"""FLUX.2 [klein] by Black Forest Labs: the bases, not the models that are distilled to few steps.

Texts are hidden states of Qwen3 after three of its layers, side by side; padding takes part like any other token.
Latents are the VAE's in patches of 2 x 2, scaled by running means and variances that the VAE keeps. Facts are those of
diffusers 0.42.1 (`pipeline_flux2_klein.py`, `train_dreambooth_lora_flux2_klein.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from anomend.families.family import DISTILLED, Family, Texts, in_blocks
from anomend.families.latent_format import LatentFormat

if TYPE_CHECKING:
    import torch

IN_DOUBLE_BLOCK = (
    *(f"attn.{name}" for name in ("to_q", "to_k", "to_v", "to_out.0")),
    *(f"attn.{name}" for name in ("add_q_proj", "add_k_proj", "add_v_proj", "to_add_out")),
    *(f"{part}.linear_{end}" for part in ("ff", "ff_context") for end in ("in", "out")),
)
IN_SINGLE_BLOCK = ("attn.to_qkv_mlp_proj", "attn.to_out")
OUTSIDE = (
    *("x_embedder", "context_embedder", "norm_out.linear", "proj_out"),
    *(f"time_guidance_embed.timestep_embedder.linear_{layer}" for layer in (1, 2)),
    *(f"{name}.linear" for name in ("double_stream_modulation_img", "double_stream_modulation_txt")),
    "single_stream_modulation.linear",
)


class Flux2Klein(Family):
    """Texts are `embeds`, (tokens, width), padded to the full length; there is no mask."""

    title = "FLUX.2 [klein]"
    tag = "flux2-klein"
    pipeline = "Flux2KleinPipeline"
    transformer = "Flux2Transformer2DModel"
    text_parts = ("text_encoder", "tokenizer")
    large_text_encoder = ("text_encoder", "Qwen3ForCausalLM")
    block_lists = ("transformer_blocks", "single_transformer_blocks")
    latent_patch = 2

    def check(self, pipeline: Any) -> None:
        """A distilled model ignores guidance."""
        if pipeline.config.get("is_distilled"):
            raise ValueError(DISTILLED.format(name="FLUX.2-klein-base-4B"))

    def latent_format(self, **where: Any) -> LatentFormat:
        """From the VAE's weights, where its running means and variances are."""
        from diffusers import AutoencoderKLFlux2

        vae = AutoencoderKLFlux2.from_pretrained(**where)
        deviations = (vae.bn.running_var + vae.config["batch_norm_eps"]).sqrt()
        return LatentFormat(
            scaling_factor=(1 / deviations).view(-1, 1, 1),
            shift_factor=vae.bn.running_mean.view(-1, 1, 1),
            patch=self.latent_patch,
        )

    def encode(self, pipeline: Any, texts: Sequence[str], max_sequence_length: int) -> Texts:
        """The pipeline's own padding to `max_sequence_length`."""
        embeds, _ = pipeline.encode_prompt(list(texts), max_sequence_length=max_sequence_length)
        return {"embeds": embeds}

    def velocity(
        self, transformer: Callable[..., Any], latents: torch.Tensor, sigma: torch.Tensor, texts: Texts
    ) -> torch.Tensor:
        """Each place of the latents is a token."""
        embeds, (height, width) = texts["embeds"], latents.shape[2:]
        velocity: torch.Tensor = transformer(
            hidden_states=latents.flatten(2).transpose(1, 2),
            timestep=sigma,
            guidance=None,
            encoder_hidden_states=embeds,
            txt_ids=positions(1, 1, embeds.shape[1], like=latents),
            img_ids=positions(height, width, 1, like=latents),
            return_dict=False,
        )[0]
        return velocity.transpose(1, 2).unflatten(2, (height, width))

    def wanted(self, texts: Texts) -> dict[str, Any]:
        """Embeddings alone: the pipeline adds their positions."""
        return {"prompt_embeds": texts["embeds"]}

    def unwanted(self, texts: Texts) -> dict[str, Any]:
        """The same of the negative prompt."""
        return {"negative_prompt_embeds": texts["embeds"]}

    def projections(self) -> list[str]:
        """Those of blocks with two streams and with one, and the few outside."""
        blocks = {"transformer_blocks": IN_DOUBLE_BLOCK, "single_transformer_blocks": IN_SINGLE_BLOCK}
        return in_blocks(blocks, OUTSIDE)


def positions(height: int, width: int, length: int, *, like: torch.Tensor) -> torch.Tensor:
    """Positions of tokens, (tokens, 4): time (0), row, column, and place in the text."""
    import torch

    axes = (torch.arange(size, device=like.device) for size in (1, height, width, length))
    return torch.cartesian_prod(*axes)


FAMILY = Flux2Klein()
