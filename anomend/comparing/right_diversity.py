"""Diversity among right images: anomalies are diverse too, so losing them must not look like losing diversity.

Every image that was sampled is used, not only the first seeds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from anomend.comparing.pairs import Pairs
from anomend.measuring.diversity import cosine_distance_matrix
from anomend.project.model_words import BASE_AND_TUNED, ModelWords
from anomend.statistics.within_set_ratio import MIN_IMAGES, jackknife, log_ratio, over_prompts

Features = NDArray[np.float32]
Sets = dict[str, Features]


def right_diversity(
    pairs: Mapping[str, Pairs],
    images: Mapping[str, pd.DataFrame],
    features: Mapping[str, Features],
    *,
    instances: Features,
    confidence: float,
    words: ModelWords = BASE_AND_TUNED,
) -> dict[str, Any]:
    """Diversity of the tuned model's right target images over the base's.

    Where the base model has too few right images of a prompt, the reference is the held-out prompt that shares most
    words with it and has enough, else the instance images.

    Args:
        pairs: by suffix of the keys, the pairs of the target (``) and of the held-out prompts (`_held_out`).
        images: by model, one row per image with `anomalous`, in the order of the features. Where no detector ran, all
            images count as right.
        features: by model, shape (n, d).
        instances: features of the instance images, shape (m, d).
        confidence: level of the ratio's two-sided interval.
        words: what the two models are called.

    Returns:
        `base`, `tuned`, their `ratio` with its interval, `log_error` (standard error of its logarithm), `freedom`,
        numbers of images, and the reference in words; or, without values, the `reason`.
    """
    seen = not any(table["anomalous"].isna().all() for table in images.values())
    right = {
        model: (table["anomalous"] == 0).to_numpy() if seen else np.ones(len(table), dtype=bool)
        for model, table in images.items()
    }
    of_base = {suffix: _right(group, right["base"], features["base"], row=0) for suffix, group in pairs.items()}
    of_tuned = _right(pairs[""], right["tuned"], features["tuned"], row=1)
    few = [name for name, found in of_tuned.items() if len(found) < MIN_IMAGES]
    if not of_tuned:
        return _nothing("there are no target prompts")
    if few:
        return _nothing(f"{words.tuned_model} has fewer than {MIN_IMAGES} right images of {few[0]!r}")
    references, instead = [], []
    for prompt, own in of_base[""].items():
        reference, name = _reference(prompt, own, of_base.get("_held_out", {}), instances)
        if reference is None:
            return _nothing(f"{words.base_model} has fewer than {MIN_IMAGES} right images of {prompt!r}, {name}")
        references.append(reference)
        instead += [name] if name else []
    base, tuned = (
        over_prompts([jackknife(cosine_distance_matrix(each)) for each in sets])
        for sets in (references, of_tuned.values())
    )
    found = log_ratio(base, tuned)
    if found is None:
        return _nothing(f"all right images of {words.base_model}, or of {words.tuned_model}, are the same")
    low, high = found.interval(confidence)
    of_which = "right images" if seen else "images, of which no detector tells the right ones"
    return {
        "base": base.value,
        "tuned": tuned.value,
        "ratio": found.ratio,
        "ratio_ci_low": low,
        "ratio_ci_high": high,
        "log_error": found.log_error,
        "freedom": found.freedom,
        "images_base": base.images,
        "images_tuned": tuned.images,
        "seeds_per_prompt": min(len(places) for places in pairs[""].places().values()),
        "reference": "; ".join([f"{words.bases} {of_which}", *instead]),
        "better": "higher",
        "method": f"{confidence:.0%} interval: jackknife over right images within each prompt, Student's t of the"
        " logarithm",
    }


def _right(pairs: Pairs, right: NDArray[np.bool_], features: Features, *, row: int) -> Sets:
    """By prompt, the features of the right images of one model."""
    rows = pairs.rows[row]
    return {name: features[rows[places][right[rows[places]]]] for name, places in pairs.places().items()}


def _reference(prompt: str, own: Features, held_out: Sets, instances: Features) -> tuple[Features | None, str]:
    """What the tuned images of a prompt are compared with, and its words where it is not the base's own images."""
    if len(own) >= MIN_IMAGES:
        return own, ""
    words = set(prompt.lower().split())
    enough = {name: found for name, found in held_out.items() if len(found) >= MIN_IMAGES}
    if enough:
        nearest = max(enough, key=lambda name: len(words & set(name.lower().split())))
        return enough[nearest], f"for {prompt!r}, of which it has {len(own)} right images, those of {nearest!r}"
    if len(instances) >= MIN_IMAGES:
        return instances, f"for {prompt!r}, of which it has {len(own)} right images, the instance images"
    return None, "and neither a held-out prompt nor the instance images are enough to stand in for them"


def _nothing(reason: str) -> dict[str, Any]:
    return {**dict.fromkeys(("base", "tuned", "ratio")), "better": "higher", "reason": reason}
