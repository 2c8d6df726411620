"""A base, with or without a LoRA, that samples through the store; it is loaded when the first image is missing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anomend.diffusion.recipes import sampling_recipe, text_recipe
from anomend.diffusion.stored_sampling import Draw, Image, StoredSampler
from anomend.diffusion.text_store import TextStore
from anomend.params.diffusion import BaseModelParams, SampleParams
from anomend.pictures.sample_store import SampleStore

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline

    from anomend.diffusion.embeddings import TextEmbeddings


@dataclass(frozen=True, kw_only=True)
class Guidance:
    """How a model is guided besides the guidance scale."""

    recipe: Mapping[str, Any]
    """What an image depends on therefore; replaces or adds to `recipes.sampling_recipe`."""
    texts: Sequence[str] = field(default=())
    """Texts that it needs besides the prompts."""
    apply: Callable[[DiffusionPipeline, TextEmbeddings], DiffusionPipeline]
    """Returns a loaded pipeline with this guidance."""


def model_sampler(
    base: BaseModelParams,
    sample: SampleParams,
    *,
    store: SampleStore,
    code: str,
    lora: Path | None = None,
    guidance: Guidance | None = None,
    description: str = "sampling",
    ahead: Sequence[str] = (),
) -> StoredSampler:
    """A sampler of the base, or of the base with a LoRA.

    Args:
        base: the base.
        sample: how it is sampled.
        store: keeps the images.
        code: fingerprint of the code that samples: `sampler` in resolved/code.json.
        lora: folder of the LoRA; None: the base itself.
        guidance: how it is guided besides; None: by the guidance scale alone.
        description: names the images in the progress bar.
        ahead: prompts of later stages, whose texts are encoded too where text encoders have to be loaded.

    Raises:
        ValueError: the base or the LoRA cannot be read.
    """

    def load(prompts: Sequence[str]) -> Draw:
        from anomend.diffusion.lora import load_lora
        from anomend.diffusion.sampling import load_sampler, sample_images, sampling_options
        from anomend.diffusion.texts import StoredTexts

        stored = StoredTexts(base, TextStore(store.folder), text_recipe(plain), ahead=ahead)
        pipeline, texts = load_sampler(base, [*prompts, *(guidance.texts if guidance else ())], stored)
        if lora is not None:
            load_lora(pipeline, lora)
        if guidance is not None:
            pipeline = guidance.apply(pipeline, texts)
        options = sampling_options(base, sample)

        def draw(prompt: str, seeds: Sequence[int]) -> list[Image]:
            requests = [(prompt, seed) for seed in seeds]
            return list(sample_images(pipeline, requests, **options, description="", texts=texts))

        return draw

    plain = sampling_recipe(base, sample, code=code, lora=_digest(lora))
    recipe = plain | dict(guidance.recipe) if guidance else plain
    return StoredSampler(
        recipe=recipe,
        samples=store.samples(recipe),
        load=load,
        block_size=sample.batch_size,
        description=description,
    )


def _digest(lora: Path | None) -> str | None:
    if lora is None:
        return None
    from anomend.diffusion.lora_folder import lora_sha256

    return lora_sha256(lora)
