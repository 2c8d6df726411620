"""The tuned model: a base with a LoRA, or a base without one that is sampled in a better way, or both."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from anomend.detectors.table import make_detector
from anomend.diffusion.best_of import BestOf, Image
from anomend.diffusion.model_samplers import Guidance, model_sampler
from anomend.diffusion.sample_sets import Sampler
from anomend.params.params import Params
from anomend.params.tuned import TunedParams
from anomend.pictures.sample_store import SampleStore
from anomend.project.dependencies import recorded_fingerprint
from anomend.project.paths import AGAINST, LORA, MODELS

GUIDED_CODE = "guided_sampler"
"""The name of the code that samples with guidance in resolved/code.json."""


def loras_of(params: Params) -> dict[str, Path | None]:
    """Folder of the LoRA that each of the two models is sampled with; None: none. The base side mostly has none."""
    return {
        "base": AGAINST if params.sample.against.in_use else None,
        "tuned": LORA if params.train.has_lora else None,
    }


def samplers(params: Params, *, store: SampleStore) -> dict[str, Sampler]:
    """Samplers of the base side and of the tuned model, by `base` and `tuned`; see `sampler_of`."""
    loras = loras_of(params)
    return {model: sampler_of(model, params, store=store, lora=loras[model]) for model in MODELS}


def sampler_of(model: str, params: Params, *, store: SampleStore, lora: Path | None) -> Sampler:
    """The sampler of one of the two models.

    Args:
        model: `base`, or `tuned`, which alone has `sample.tuned`.
        params: all parameters.
        store: keeps the images.
        lora: folder of its LoRA; None: it has none.

    Raises:
        ValueError: the base or the LoRA cannot be read, or stage `resolve` has not run.
    """
    tuned = params.sample.tuned if model == "tuned" else TunedParams()
    candidates = model_sampler(
        params.base,
        params.sample,
        store=store,
        code=recorded_fingerprint("sampler"),
        lora=lora,
        guidance=_guidance(tuned, params.sample.steps) if tuned.guided else None,
        description=f"sampling {model}",
        ahead=params.sampled_prompts(),
    )
    if tuned.best_of.n is None:
        return candidates
    detector = make_detector(tuned.best_of.detector, params.detectors, params.base.device)

    def detect(images: Sequence[Image]) -> list[tuple[str, ...]]:
        return detector.anomalies(images)

    return BestOf(candidates=candidates, settings=tuned.best_of, detect=detect)


def _guidance(tuned: TunedParams, steps: int) -> Guidance:
    def apply(pipeline: Any, texts: Any) -> Any:
        # A second for torch and diffusers, which a run whose images are all stored need not wait.
        from anomend.diffusion.guidance import guided

        return guided(pipeline, texts, tuned, steps)

    recipe: dict[str, Any] = {"guidance_code": recorded_fingerprint(GUIDED_CODE)}
    if tuned.negative_prompt is not None:
        recipe["negative_prompt"] = tuned.negative_prompt
    if tuned.skip_layers.layers:
        recipe["skip_layers"] = tuned.skip_layers.model_dump()
    texts = [] if tuned.negative_prompt is None else [tuned.negative_prompt]
    return Guidance(recipe=recipe, texts=texts, apply=apply)
