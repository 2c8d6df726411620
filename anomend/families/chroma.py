"""Chroma by Lodestone Rock: FLUX.1 [schnell] pruned, and without its distillation, so that guidance is two passes.

Texts are T5's last hidden states, padded to the full length; the padding is masked in T5, and all but its first token
is marked for the transformer. diffusers gives these marks as numbers, 1 or 0, which attention adds to its scores:
padding counts for less, by a factor of e, and is not left out. Training does as that pipeline does. Facts are those of
diffusers 0.42.1 (`pipeline_chroma.py`, `transformer_chroma.py`; its script for Flux, since it has none for Chroma).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from anomend.families.family import Family, Texts, in_blocks
from anomend.families.latent_format import LatentFormat

if TYPE_CHECKING:
    import torch

PATCH = 2
"""Side of a token in latents."""
INPUTS_OF_DOUBLE, INPUTS_OF_SINGLE = 5, 3
"""Of a block in gradient checkpointing: with two streams the marks come last, with one they are missing."""
IN_DOUBLE_BLOCK = (
    *(f"attn.{name}" for name in ("to_q", "to_k", "to_v", "to_out.0")),
    *(f"attn.{name}" for name in ("add_q_proj", "add_k_proj", "add_v_proj", "to_add_out")),
    *(f"{part}.net.{layer}" for part in ("ff", "ff_context") for layer in ("0.proj", "2")),
)
IN_SINGLE_BLOCK = ("attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp", "proj_out")
IN_APPROXIMATOR = ("linear_1", "linear_2")
"""In each layer of the network that makes all modulations of a noise level."""
OUTSIDE = (
    *("x_embedder", "context_embedder", "proj_out"),
    *(f"distilled_guidance_layer.{name}" for name in ("in_proj", "out_proj")),
)


class Chroma(Family):
    """Texts are `embeds`, (tokens, width), of the full length, and `mask`, (tokens,): true up to the first padding."""

    title = "Chroma"
    tag = "chroma"
    pipeline = "ChromaPipeline"
    transformer = "ChromaTransformer2DModel"
    text_parts = ("text_encoder", "tokenizer")
    large_text_encoder = ("text_encoder", "T5EncoderModel")
    block_lists = ("transformer_blocks", "single_transformer_blocks")

    def latent_format(self, **where: Any) -> LatentFormat:
        """From the VAE's configuration alone."""
        from diffusers import AutoencoderKL

        config = AutoencoderKL.load_config(**where)
        return LatentFormat(scaling_factor=config["scaling_factor"], shift_factor=config["shift_factor"])

    def encode(self, pipeline: Any, texts: Sequence[str], max_sequence_length: int) -> Texts:
        """The pipeline's own padding to `max_sequence_length`."""
        embeds, _, mask, *_ = pipeline.encode_prompt(
            list(texts), do_classifier_free_guidance=False, max_sequence_length=max_sequence_length
        )
        return {"embeds": embeds, "mask": mask.bool()}

    def velocity(
        self, transformer: Callable[..., Any], latents: torch.Tensor, sigma: torch.Tensor, texts: Texts
    ) -> torch.Tensor:
        """Patches of 2 x 2 latents are tokens, after those of the text."""
        import torch
        from torch.nn.functional import pixel_shuffle, pixel_unshuffle

        embeds, marks = texts["embeds"], texts["mask"].to(latents.dtype)
        patches = pixel_unshuffle(latents, PATCH)
        height, width = patches.shape[2:]
        velocity: torch.Tensor = transformer(
            hidden_states=patches.flatten(2).transpose(1, 2),
            timestep=sigma,
            encoder_hidden_states=embeds,
            txt_ids=latents.new_zeros(embeds.shape[1], 3),
            img_ids=positions(height, width, like=latents),
            attention_mask=torch.cat([marks, marks.new_ones(len(latents), height * width)], dim=1),
            return_dict=False,
        )[0]
        return pixel_shuffle(velocity.transpose(1, 2).unflatten(2, (height, width)), PATCH)

    def checkpoint_gradients(self, transformer: Any) -> None:
        """diffusers passes the marks to all blocks, but with gradient checkpointing only to those with two streams."""
        from torch.utils.checkpoint import checkpoint

        marks: torch.Tensor | None = None

        def again(block: Any, *inputs: Any) -> Any:
            nonlocal marks
            if len(inputs) == INPUTS_OF_DOUBLE:
                marks = inputs[-1]
            elif len(inputs) == INPUTS_OF_SINGLE:
                inputs = (*inputs, marks)
            return checkpoint(block, *inputs, use_reentrant=False)

        transformer.enable_gradient_checkpointing(again)

    def wanted(self, texts: Texts) -> dict[str, Any]:
        """Embeddings and their marks."""
        embeds = texts["embeds"]
        return {"prompt_embeds": embeds, "prompt_attention_mask": texts["mask"].to(embeds.dtype)}

    def unwanted(self, texts: Texts) -> dict[str, Any]:
        """The same of the negative prompt."""
        return {f"negative_{name}": values for name, values in self.wanted(texts).items()}

    def projections(self) -> list[str]:
        """Those of blocks with two streams and with one, of the modulations, and the few outside."""
        blocks = {
            "transformer_blocks": IN_DOUBLE_BLOCK,
            "single_transformer_blocks": IN_SINGLE_BLOCK,
            "distilled_guidance_layer.layers": IN_APPROXIMATOR,
        }
        return in_blocks(blocks, OUTSIDE)


def positions(height: int, width: int, *, like: torch.Tensor) -> torch.Tensor:
    """Positions of an image's tokens, (tokens, 3): 0, row, column."""
    import torch

    axes = (torch.arange(size, device=like.device) for size in (1, height, width))
    return torch.cartesian_prod(*axes).to(like.dtype)


FAMILY = Chroma()
