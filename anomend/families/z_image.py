"""Z-Image by Tongyi-MAI: the base, not the model that is distilled to few steps.

Texts are hidden states of Qwen3 before its last layer, without padding. The transformer takes lists of latents and of
texts; it is told 1 - sigma, and predicts image - noise. Facts are those of diffusers 0.42.1 (`pipeline_z_image.py`,
`train_dreambooth_lora_z_image.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from anomend.families.family import Family, Texts, in_blocks, padded
from anomend.families.latent_format import LatentFormat

if TYPE_CHECKING:
    import torch

IN_BLOCK = (
    *(f"attention.{name}" for name in ("to_q", "to_k", "to_v", "to_out.0")),
    *(f"feed_forward.w{layer}" for layer in (1, 2, 3)),
)
OUTSIDE = (
    *("t_embedder.mlp.0", "t_embedder.mlp.2", "cap_embedder.1", "all_x_embedder.2-1"),
    *("all_final_layer.2-1.linear", "all_final_layer.2-1.adaLN_modulation.1"),
)


class ZImage(Family):
    """Texts are `embeds`, (tokens, width), padded, and `mask`, (tokens,), true where there is text."""

    title = "Z-Image"
    tag = "z-image"
    pipeline = "ZImagePipeline"
    transformer = "ZImageTransformer2DModel"
    text_parts = ("text_encoder", "tokenizer")
    large_text_encoder = ("text_encoder", "Qwen3Model")
    block_lists = ("noise_refiner", "context_refiner", "layers")

    def latent_format(self, **where: Any) -> LatentFormat:
        """From the VAE's configuration alone."""
        from diffusers import AutoencoderKL

        config = AutoencoderKL.load_config(**where)
        return LatentFormat(scaling_factor=config["scaling_factor"], shift_factor=config["shift_factor"])

    def encode(self, pipeline: Any, texts: Sequence[str], max_sequence_length: int) -> Texts:
        """Cut to `max_sequence_length`."""
        embeds, _ = pipeline.encode_prompt(
            list(texts), do_classifier_free_guidance=False, max_sequence_length=max_sequence_length
        )
        return padded(embeds, max_sequence_length)

    def velocity(
        self, transformer: Callable[..., Any], latents: torch.Tensor, sigma: torch.Tensor, texts: Texts
    ) -> torch.Tensor:
        """The negative of what the transformer predicts."""
        import torch

        images = transformer(list(latents.unsqueeze(2)), 1 - sigma, unpadded(texts), return_dict=False)[0]
        return -torch.stack(images).squeeze(2)

    def noise_dtype(self, dtype: torch.dtype) -> torch.dtype:
        """float32, whatever the base has."""
        import torch

        return torch.float32

    def wanted(self, texts: Texts) -> dict[str, Any]:
        """A list of texts."""
        return {"prompt_embeds": unpadded(texts)}

    def unwanted(self, texts: Texts) -> dict[str, Any]:
        """The same of the negative prompt."""
        return {"negative_prompt_embeds": unpadded(texts)}

    def guidance(self, scale: float) -> dict[str, Any]:
        """The pipeline counts from v_wanted on: v_wanted + (scale - 1) (v_wanted - v_unwanted)."""
        return {"guidance_scale": scale - 1}

    def projections(self) -> list[str]:
        """Those of the refiners' blocks and of all others, and the few outside."""
        modulated = (*IN_BLOCK, "adaLN_modulation.0")
        return in_blocks({"noise_refiner": modulated, "context_refiner": IN_BLOCK, "layers": modulated}, OUTSIDE)


def unpadded(texts: Texts) -> list[torch.Tensor]:
    """Each text without its padding, (tokens, width)."""
    return [embeds[mask] for embeds, mask in zip(texts["embeds"], texts["mask"], strict=True)]


FAMILY = ZImage()
