"""Stable Diffusion 3 and 3.5, and the miniature (Esser et al. 2024, arXiv 2403.03206).

Texts are encoded by two CLIPs and T5, which a base may lack.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any

from anomend.families.family import Family, Texts, in_blocks
from anomend.families.latent_format import LatentFormat

if TYPE_CHECKING:
    import torch

IN_BLOCK = (
    *(f"attn.{name}" for name in ("to_q", "to_k", "to_v", "to_out.0")),
    *(f"attn.{name}" for name in ("add_q_proj", "add_k_proj", "add_v_proj", "to_add_out")),
    *(f"attn2.{name}" for name in ("to_q", "to_k", "to_v", "to_out.0")),
    *(f"{part}.net.{layer}" for part in ("ff", "ff_context") for layer in ("0.proj", "2")),
    *("norm1.linear", "norm1_context.linear"),
)
"""In each of `transformer_blocks`; a base need not have all of them."""
OUTSIDE = (
    "context_embedder",
    *(f"time_text_embed.{part}_embedder.linear_{layer}" for part in ("timestep", "text") for layer in (1, 2)),
    "pos_embed.proj",
    "norm_out.linear",
    "proj_out",
)


class StableDiffusion3(Family):
    """Texts are `embeds`, (tokens, width), and `pooled`, (width,); there is no mask."""

    title = "Stable Diffusion 3"
    tag = "stable-diffusion-3"
    pipeline = "StableDiffusion3Pipeline"
    transformer = "SD3Transformer2DModel"
    text_parts = ("text_encoder", "text_encoder_2", "text_encoder_3", "tokenizer", "tokenizer_2", "tokenizer_3")
    large_text_encoder = ("text_encoder_3", "T5EncoderModel")
    skips_layers = True
    one_graph = True
    # Its loader takes its own layout alone (0.42.1).
    converts_layouts = False
    has_original_names = True

    def unneeded_for_texts(self, absent: Collection[str]) -> tuple[str, ...]:
        """A pipeline without T5 takes the width of the text from the transformer."""
        return ("vae",) if "text_encoder_3" in absent else ("transformer", "vae")

    def latent_format(self, **where: Any) -> LatentFormat:
        """From the VAE's configuration alone."""
        from diffusers import AutoencoderKL

        config = AutoencoderKL.load_config(**where)
        return LatentFormat(scaling_factor=config["scaling_factor"], shift_factor=config.get("shift_factor") or 0.0)

    def encode(self, pipeline: Any, texts: Sequence[str], max_sequence_length: int) -> Texts:
        """`max_sequence_length` is that of the T5 part."""
        states, _, pooled, _ = pipeline.encode_prompt(
            list(texts), None, None, do_classifier_free_guidance=False, max_sequence_length=max_sequence_length
        )
        return {"embeds": states, "pooled": pooled}

    def velocity(
        self, transformer: Callable[..., Any], latents: torch.Tensor, sigma: torch.Tensor, texts: Texts
    ) -> torch.Tensor:
        """The transformer takes latents as they are."""
        velocity: torch.Tensor = transformer(
            hidden_states=latents,
            timestep=sigma * 1000,
            encoder_hidden_states=texts["embeds"],
            pooled_projections=texts["pooled"],
            return_dict=False,
        )[0]
        return velocity

    def wanted(self, texts: Texts) -> dict[str, Any]:
        """Embeddings and pooled embeddings."""
        return {"prompt_embeds": texts["embeds"], "pooled_prompt_embeds": texts["pooled"]}

    def unwanted(self, texts: Texts) -> dict[str, Any]:
        """The same of the negative prompt."""
        return {"negative_prompt_embeds": texts["embeds"], "negative_pooled_prompt_embeds": texts["pooled"]}

    def projections(self) -> list[str]:
        """Those of all blocks, and the few outside."""
        return in_blocks({"transformer_blocks": IN_BLOCK}, OUTSIDE)


FAMILY = StableDiffusion3()
