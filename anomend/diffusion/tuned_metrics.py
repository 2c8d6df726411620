"""What a tuned model is that is not just a LoRA, and what its images cost, in words and numbers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from anomend.diffusion.best_of import BestOf, Choice
from anomend.diffusion.lora_origin import LoraOrigin, read_origin
from anomend.diffusion.sample_sets import Sampler
from anomend.params.params import Params
from anomend.params.prompts import PromptParams
from anomend.params.tuned import TunedParams
from anomend.project.model_words import KEY, ModelWords, capital, words_for

Origins = Mapping[str, LoraOrigin | None]
"""By model, what is known of its LoRA where another program trained it."""
NO_ORIGINS: Origins = {"base": None, "tuned": None}


def read_origins(loras: Mapping[str, Path | None]) -> Origins:
    """What is known of the LoRAs in these folders."""
    return {model: read_origin(folder) if folder else None for model, folder in loras.items()}


def model_name(model: str, params: Params, lora_sha256: str | None) -> str:
    """One of the two models in a few words, for its images' rows."""
    lora = f" + LoRA {lora_sha256[:12]}" if lora_sha256 else ""
    additions = [] if model == "base" else _additions(params.sample.tuned)
    return ", ".join([f"{params.base.name}{lora}", *additions])


def _additions(tuned: TunedParams) -> list[str]:
    skip, best = tuned.skip_layers, tuned.best_of
    return [
        *([f"negative prompt {tuned.negative_prompt!r}"] if tuned.negative_prompt is not None else []),
        *([f"layers {skip.layers} skipped in guidance"] if skip.layers else []),
        *([f"best of {best.n} by {best.detector}"] if best.n else []),
    ]


def tuned_metrics(params: Params, sampler: Sampler, images: int, origins: Origins = NO_ORIGINS) -> dict[str, Any]:
    """What metrics/sample_tuned.json says of a tuned model that is not just a LoRA of this run against the base.

    Args:
        params: all parameters.
        sampler: of the tuned model, which has sampled the set.
        images: how many it has.
        origins: whose LoRAs the two models have.

    Returns:
        Empty for a LoRA of this run. Else `tuned_model`, the model and its cost in sentences; `images_drawn`, those
        that were drawn one after the other until each image was settled, and `images_drawn_in_blocks`, those with which
        the blocks of the store are full; `drawn_per_image`; `model_evaluations_per_image` that is kept, and the base's;
        with best of n also `none_right`, images of which no draw was right, and the same by group; with LoRAs of other
        programs `loras`, whose they are; with `sample.against` also `names`, what the two models are called.
    """
    sample = params.sample
    foreign = {model: origin.as_metrics() for model, origin in origins.items() if origin}
    if not foreign and params.train.has_lora and not sample.tuned.in_use:
        return {}
    drawn, metrics = images, {}
    if isinstance(sampler, BestOf):
        drawn = sum(choice.drawn for choice in sampler.choices.values())
        metrics = _draws(sampler, params.prompts)
    per_image = drawn / images
    counts = {
        "images_drawn": drawn,
        **metrics,
        "drawn_per_image": round(per_image, 6),
        "model_evaluations_per_image": round(per_image * sample.tuned_passes, 6),
        "model_evaluations_per_image_base": sample.passes,
    }
    words = words_for(against=sample.against.in_use)
    names = {KEY: {"base": words.base, "tuned": words.tuned}} if sample.against.in_use else {}
    sentences = _sentences(params, counts, images, words, origins)
    return {"tuned_model": sentences, **counts, **({"loras": foreign} if foreign else {}), **names}


def _draws(sampler: BestOf, prompts: PromptParams) -> dict[str, Any]:
    groups: dict[str, list[Choice]] = {"target": [], "held_out": []}
    if prompts.siblings:
        groups["siblings"] = []
    for (prompt, _), choice in sampler.choices.items():
        others = "siblings" if prompt in prompts.siblings else "held_out"
        groups["target" if prompt in prompts.target else others].append(choice)
    by_group = {
        group: {
            "images": len(choices),
            "drawn": sum(choice.drawn for choice in choices),
            "none_right": sum(choice.anomalies > 0 for choice in choices),
        }
        for group, choices in groups.items()
    }
    return {
        "images_drawn_in_blocks": len(sampler.blocks) * sampler.candidates.block_size,
        "none_right": sum(each["none_right"] for each in by_group.values()),
        "draws": by_group,
    }


def _lora(origin: LoraOrigin | None, has_lora: bool) -> str:
    return f"with {origin.words()}" if origin else "with a LoRA" if has_lora else "without a LoRA"


def _sentences(params: Params, counts: Mapping[str, Any], images: int, words: ModelWords, origins: Origins) -> str:
    tuned, best = params.sample.tuned, params.sample.tuned.best_of
    skip = tuned.skip_layers
    ways = []
    if tuned.negative_prompt is not None:
        ways.append(f"the negative prompt {tuned.negative_prompt!r}")
    if skip.layers:
        layers = ", ".join(map(str, skip.layers))
        ways.append(
            f"skip-layer guidance (layers {layers}, scale {skip.scale:g}, {skip.start:g} to {skip.stop:g} of the steps)"
        )
    sentences = []
    if params.sample.against.in_use:
        sentences.append(f"{capital(words.base_model)} is the base {_lora(origins['base'], True)}.")
    sentences.append(
        f"{capital(words.tuned_model)} is the base {_lora(origins['tuned'], params.train.has_lora)}"
        + (f", sampled with {' and '.join(ways)}" if ways else "")
        + "."
    )
    if origins["tuned"]:
        sentences.append(
            "Copies are looked for among the instance images of this run, which its author need not have trained on."
        )
    if not tuned.in_use:
        return " ".join(sentences)
    each, base = counts["model_evaluations_per_image"], counts["model_evaluations_per_image_base"]
    if best.n is None:
        return " ".join(
            [*sentences, f"An image takes {each:g} model evaluations; one of {words.the_base} takes {base}."]
        )
    measured = "; it also measures the result" if best.detector == params.measure.detector else ""
    sentences += [
        f"Each of its images is the first of at most {best.n} in which the detector {best.detector} finds no anomaly"
        f"{measured}.",
        f"For {images:,} images it drew {counts['images_drawn']:,}: {counts['drawn_per_image']:.2f} per image that is "
        f"kept, or {each:.1f} model evaluations; one of {words.the_base} takes {base}.",
    ]
    if none := counts["none_right"]:
        sentences.append(
            f"For {none:,} of them none of {best.n} was right, and the first with the fewest anomalies is kept."
        )
    sentences.append(
        f"They start from seeds of their own: a pair of {words.base} and {words.tuned} image has no noise in common."
    )
    return " ".join(sentences)
