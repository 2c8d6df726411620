"""What a family of base models has to say about itself: one file per family, which holds all that is particular to it.

Encoding, sampling and training call nothing but this. A family's file imports torch and diffusers within its methods,
because names and licences are read without them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from anomend.families.latent_format import LatentFormat

if TYPE_CHECKING:
    import torch

Texts = dict[str, "torch.Tensor"]
"""Encoded texts by the family's own names. The first dimension of each tensor is the text. All texts of a base have
equal shapes: shorter ones are padded, with a `mask`, where the transformer does not take the padding itself."""


class Family(ABC):
    """A family: bases that one pipeline class of diffusers runs."""

    title: ClassVar[str]
    """In words, such as Stable Diffusion 3."""
    tag: ClassVar[str]
    """The hub's tag for models of this family."""
    pipeline: ClassVar[str]
    """diffusers' pipeline class."""
    transformer: ClassVar[str]
    """diffusers' class of the denoiser, which is the pipeline's part `transformer`."""
    text_parts: ClassVar[tuple[str, ...]]
    """The pipeline's parts that encode texts."""
    large_text_encoder: ClassVar[tuple[str, str]]
    """The text encoder of gigabytes, which can be kept in 8 bits: the pipeline's part, and transformers' class."""
    block_lists: ClassVar[tuple[str, ...]] = ("transformer_blocks",)
    """The transformer's lists of blocks, which are compiled, sharded and checkpointed one by one."""
    skips_layers: ClassVar[bool] = False
    """Whether the pipeline has skip-layer guidance."""
    latent_patch: ClassVar[int] = 1
    """Side of the patches of the VAE's latents that are channels for the transformer (`LatentFormat.patch`)."""
    guided_by_words: ClassVar[dict[str, Any]] = {}
    """What a call of the pipeline with a prompt needs besides `guidance` where guidance is on."""
    one_graph: ClassVar[bool] = False
    """Whether `train.compile: whole` has been seen to capture the transformer, which must take nothing but tensors and
    constants."""

    converts_layouts: ClassVar[bool] = True
    """Whether the pipeline's `lora_state_dict` turns other programs' layouts of a LoRA into diffusers'."""
    has_original_names: ClassVar[bool] = False
    """Whether `anomend.exporting.original_names` has its original code's names, which ComfyUI and sd-scripts use."""

    # Loading.

    def pipeline_class(self) -> Any:
        """diffusers' pipeline class."""
        return _of("diffusers", self.pipeline)

    def transformer_class(self) -> Any:
        """diffusers' transformer class."""
        return _of("diffusers", self.transformer)

    def large_text_encoder_class(self) -> Any:
        """transformers' class of the large text encoder."""
        return _of("transformers", self.large_text_encoder[1])

    def unneeded_for_texts(self, absent: Collection[str]) -> tuple[str, ...]:
        """Parts that are left out where texts are encoded.

        Args:
            absent: parts that this base does not have.
        """
        return ("transformer", "vae")

    def check(self, pipeline: Any) -> None:  # noqa: B027
        """Refuse a pipeline of this class that is driven in another way, such as a distilled model.

        Args:
            pipeline: as loaded; parts may be None.

        Raises:
            ValueError: it is one.
        """

    @abstractmethod
    def latent_format(self, **where: Any) -> LatentFormat:
        """The format of a base's latents.

        Args:
            where: arguments of diffusers' `from_pretrained` and `load_config` that lead to the VAE.

        Raises:
            KeyError: the VAE's configuration lacks an entry, the error's argument.
        """

    def slice_decoder(self, vae: Any) -> None:
        """Have the VAE decode large images one by one, and in tiles beyond the size that it was made for."""
        vae.enable_slicing()
        # Tiles have the side of the VAE's own images, with a quarter's overlap: up to 1024 pixels there is one.
        vae.enable_tiling()

    # Encoding.

    @abstractmethod
    def encode(self, pipeline: Any, texts: Sequence[str], max_sequence_length: int) -> Texts:
        """Texts as the pipeline encodes them, on its device and in its precision.

        Args:
            pipeline: with its text encoders.
            texts: encoded together.
            max_sequence_length: `base.max_sequence_length`, or the quirk's.
        """

    def posterior(self, vae: Any, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Means and standard deviations of the VAE's posteriors, (B, C, h, w), for pixels (B, 3, H, W) from -1 to 1."""
        posterior = vae.encode(pixels).latent_dist
        return posterior.mean, posterior.std

    def posterior_channels(self, vae: Any) -> int:
        """C of `posterior`."""
        return int(vae.config.latent_channels)

    # Predicting.

    @abstractmethod
    def velocity(
        self, transformer: Callable[..., Any], latents: torch.Tensor, sigma: torch.Tensor, texts: Texts
    ) -> torch.Tensor:
        """The predicted velocity noise - image, (B, C, h, w).

        Args:
            transformer: the model, or what wraps it.
            latents: noisy latents in the transformer's format and precision, (B, C, h, w).
            sigma: noise levels from 0 to 1, (B,), float32.
            texts: of each sample, in the transformer's precision.
        """

    def checkpoint_gradients(self, transformer: Any) -> None:
        """Have each block computed again in the backward pass (`train.gradient_checkpointing`).

        diffusers' transformers call their blocks in two ways, with and without this: compare what each block gets.

        Args:
            transformer: the model itself, not what wraps it.
        """
        transformer.enable_gradient_checkpointing()

    def noise_dtype(self, dtype: torch.dtype) -> torch.dtype:
        """In which precision the pipeline draws start noise for a base of precision `dtype`."""
        return dtype

    # Sampling: arguments of the pipeline's call.

    @abstractmethod
    def wanted(self, texts: Texts) -> dict[str, Any]:
        """What an image shows."""

    @abstractmethod
    def unwanted(self, texts: Texts) -> dict[str, Any]:
        """What guidance leads away from; not asked for where guidance is off."""

    def guidance(self, scale: float) -> dict[str, Any]:
        """Guidance v_unwanted + scale (v_wanted - v_unwanted); 1: none."""
        return {"guidance_scale": scale}

    # The LoRA.

    def refuse_one_graph(self) -> None:
        """Refuse `train.compile: whole` where a captured graph cannot take the transformer's inputs.

        Raises:
            ValueError: it cannot.
        """
        if not self.one_graph:
            raise ValueError(
                f"train.compile = 'whole' cannot capture the transformer of {self.title}: set it to blocks or none"
            )

    @abstractmethod
    def projections(self) -> list[str]:
        """All projections that a base of this family may have, by name: `train.target_modules` chooses from them."""


DISTILLED = "base.local_folder holds a distilled model, which has its guidance in it: take {name} itself"
"""What `Family.check` says of one."""
MOST_BLOCKS = 100
"""More blocks than a list of any base has."""


def in_blocks(blocks: Mapping[str, Sequence[str]], outside: Sequence[str]) -> list[str]:
    """Names of projections: those of each block, by the name of the list of blocks, and others."""
    names = [
        f"{name}.{block}.{each}" for name, parts in blocks.items() for block in range(MOST_BLOCKS) for each in parts
    ]
    return [*names, *outside]


def padded(texts: Sequence[torch.Tensor], length: int) -> Texts:
    """Texts of different lengths as `embeds`, (texts, length, width), and `mask`, (texts, length).

    Args:
        texts: each (tokens, width); none longer than `length`.
        length: to which all are padded with zeros.
    """
    import torch

    embeds = torch.stack([torch.cat([text, text.new_zeros(length - len(text), text.shape[1])]) for text in texts])
    lengths = torch.tensor([len(text) for text in texts], device=embeds.device)
    return {"embeds": embeds, "mask": torch.arange(length, device=embeds.device) < lengths[:, None]}


def to_dtype(texts: Texts, device: torch.device, dtype: torch.dtype) -> Texts:
    """Texts on a device, in a precision; masks stay what they are."""
    return {
        name: values.to(device, dtype) if values.is_floating_point() else values.to(device)
        for name, values in texts.items()
    }


def _of(library: str, name: str) -> Any:
    from importlib import import_module

    return getattr(import_module(library), name)
