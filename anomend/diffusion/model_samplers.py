"""A base, with or without a LoRA, that samples through the store; it is loaded when the first image is missing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from anomend.diffusion.recipes import sampling_recipe, text_recipe
from anomend.diffusion.stored_sampling import Draw, Image, StoredSampler
from anomend.diffusion.text_store import TextStore
from anomend.params.diffusion import BaseModelParams, SampleParams
from anomend.params.params import Params
from anomend.pictures.sample_store import SampleStore
from anomend.project.paths import MODELS


def model_sampler(
    base: BaseModelParams,
    sample: SampleParams,
    *,
    store: SampleStore,
    code: str,
    lora: Path | None = None,
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
        description: names the images in the progress bar.
        ahead: prompts of later stages, whose texts are encoded too where text encoders have to be loaded.

    Raises:
        ValueError: the base or the LoRA cannot be read.
    """

    def load(prompts: Sequence[str]) -> Draw:
        from anomend.diffusion.lora import load_lora
        from anomend.diffusion.sampling import load_sampler, sample_images, sampling_options
        from anomend.diffusion.texts import StoredTexts

        stored = StoredTexts(base, TextStore(store.folder), text_recipe(recipe), ahead=ahead)
        pipeline, texts = load_sampler(base, prompts, stored)
        if lora is not None:
            load_lora(pipeline, lora)
        options = sampling_options(base, sample)

        def draw(prompt: str, seeds: Sequence[int]) -> list[Image]:
            requests = [(prompt, seed) for seed in seeds]
            return list(sample_images(pipeline, requests, **options, description="", texts=texts))

        return draw

    recipe = sampling_recipe(base, sample, code=code, lora=_digest(lora))
    return StoredSampler(
        recipe=recipe,
        samples=store.samples(recipe),
        load=load,
        block_size=sample.batch_size,
        description=description,
    )


def both_samplers(params: Params, *, store: SampleStore, code: str, lora: Path) -> dict[str, StoredSampler]:
    """Samplers of the base and of the tuned model, by `base` and `tuned`; see `model_sampler`."""
    return {
        model: model_sampler(
            params.base,
            params.sample,
            store=store,
            code=code,
            lora=weights,
            description=f"sampling {model}",
            ahead=params.sampled_prompts(),
        )
        for model, weights in zip(MODELS, (None, lora), strict=True)
    }


def _digest(lora: Path | None) -> str | None:
    if lora is None:
        return None
    from anomend.diffusion.lora import lora_sha256

    return lora_sha256(lora)
