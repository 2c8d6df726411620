"""What the paper's "Average FID" may have been: every protocol that gives one number per model, by its name.

The paper names no sets. On Inception's features the right protocol shows itself by all published digits; on any other
network's features the same protocols give other numbers, and the ratio of the two models is a hint at most.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomend.measuring.frechet import frechet_distance
from anomend.statistics.within_set import within_set_mean

Features = NDArray[np.floating]


@dataclass(frozen=True)
class Protocol:
    """One way to an average FID of a model."""

    meaning: str
    distance: Callable[[Features, Features], float]
    """From features of the model's images (n, d) and of the instance images (m, d)."""


def squared_distances(first: Features, second: Features) -> NDArray[np.float64]:
    """Squared distance of every image of one set to every one of another, which is the Frechet distance of two sets of
    one image each, whose covariance is 0."""
    one, two = first.astype(np.float64), second.astype(np.float64)
    return np.stack([((row - two) ** 2).sum(axis=1) for row in one])


def within_pairs(model: Features, instance: Features) -> float:
    """Mean over the unordered pairs within a set, as the paper's SSIM and PSNR are."""
    mean = within_set_mean(squared_distances(model, model))
    if mean is None:
        raise ValueError("a mean over pairs needs two images or more")
    return mean


def image_to_instance(model: Features, instance: Features) -> float:
    """Mean over images of the Frechet distance to the set of instance images: |x - m|^2 + tr S."""
    centre = instance.astype(np.float64).mean(axis=0)
    spread = instance.astype(np.float64).var(axis=0, ddof=1).sum()
    return float(((model.astype(np.float64) - centre) ** 2).sum(axis=1).mean() + spread)


PROTOCOLS = {
    "within_pairs": Protocol("mean over the pairs within a set, each image a set of its own", within_pairs),
    "to_instance": Protocol(
        "the set against the set of instance images", lambda model, instance: frechet_distance(model, instance).value
    ),
    "image_to_instance": Protocol("mean over images, each against the set of instance images", image_to_instance),
    "pairs_to_instance": Protocol(
        "mean over pairs of an image and an instance image, each a set of its own",
        lambda model, instance: float(squared_distances(model, instance).mean()),
    ),
}
"""Every protocol by its name. Tuned against base is not one of them: it gives one number for both."""


def candidates(
    features: Mapping[str, Features] | None, published: Mapping[str, float], reason: str = ""
) -> dict[str, dict[str, Any]]:
    """Every protocol's distances of the tuned and the base model.

    Args:
        features: of the images of `tuned`, `base` and `instance`; None where there are none.
        published: the paper's numbers, `tuned` and `base`, of four decimals.
        reason: why there are no features.

    Returns:
        By protocol `meaning`, `tuned`, `base`, `ratio` (tuned over base) and `matches`: both are the published ones to
        all their digits.
    """
    table: dict[str, dict[str, Any]] = {}
    for name, protocol in PROTOCOLS.items():
        if features is None:
            nothing = dict.fromkeys(("tuned", "base", "ratio", "matches"))
            table[name] = {"meaning": protocol.meaning, **nothing, "reason": reason}
            continue
        tuned, base = (protocol.distance(features[model], features["instance"]) for model in ("tuned", "base"))
        matches = (round(tuned, 4), round(base, 4)) == (published["tuned"], published["base"])
        table[name] = {"meaning": protocol.meaning, "tuned": tuned, "base": base, "ratio": tuned / base}
        table[name]["matches"] = matches
    return table


def reproduced(table: Mapping[str, Mapping[str, Any]], reason: str) -> dict[str, Any]:
    """The reproduced FID: that of the protocol that matches, else null with a reason."""
    for name, row in table.items():
        if row["matches"]:
            return {"tuned": row["tuned"], "base": row["base"], "protocol": name, "candidates": dict(table)}
    return {"tuned": None, "base": None, "reason": reason, "candidates": dict(table)}
