"""Pairs of images of the same prompt and seed, drawn by both models, with what the anatomy detector found in them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from anomend.reporting.rates import ORDER

KEYS = ["prompt", "seed"]
MAX_PAIRS = 100


@dataclass(frozen=True)
class AssessedImage:
    """One image and what the anatomy detector found in it."""

    path: Path
    anomalies: tuple[str, ...] | None
    """Words such as `missing arm`; empty for right anatomy; None where no detector ran."""

    @property
    def kinds(self) -> tuple[str, ...]:
        """The anomalies; none where no detector ran."""
        return self.anomalies or ()

    @property
    def finding(self) -> str:
        """The finding in words."""
        if self.anomalies is None:
            return "not assessed"
        return ", ".join(self.anomalies) or "no anomaly"


@dataclass(frozen=True, kw_only=True)
class ImagePair:
    """The same prompt and seed, drawn by both models."""

    prompt: str
    group: str
    """target | held_out | siblings."""
    seed: int
    base: AssessedImage
    tuned: AssessedImage


def join_pairs(
    *, samples_base: pd.DataFrame, samples_tuned: pd.DataFrame, images_base: pd.DataFrame, images_tuned: pd.DataFrame
) -> pd.DataFrame:
    """One row per prompt and seed that both sets have.

    Args:
        samples_base, samples_tuned: image sets with prompt, seed, group, file_name, path.
        images_base, images_tuned: findings with file_name, anomalous (0, 1, or empty where no detector ran), anomalies.

    Returns:
        prompt, seed, group, and for each model path_<model> and anomalies_<model>: a tuple of words, empty for right
        anatomy, None where no detector ran.

    Raises:
        ValueError: the two sets share no prompt and seed.
    """
    base, tuned = _with_findings(samples_base, images_base), _with_findings(samples_tuned, images_tuned)
    pairs = base.merge(tuned.drop(columns="group"), on=KEYS, suffixes=("_base", "_tuned"))
    if pairs.empty:
        raise ValueError("base and tuned images share no prompt and seed: sample both with the same prompts and seeds")
    return pairs


def first_pairs(pairs: pd.DataFrame, per_prompt: int, max_pairs: int = MAX_PAIRS) -> list[ImagePair]:
    """The first seeds of every prompt, so that no picture is chosen by its result; target prompts come first.

    Args:
        pairs: as `join_pairs` returns them.
        per_prompt: pairs per prompt; fewer where `max_pairs` requires it.
        max_pairs: pairs in all.
    """
    ordered = pairs.assign(place=pairs["group"].map(ORDER.index)).sort_values(["place", *KEYS])
    per_prompt = max(1, min(per_prompt, max_pairs // ordered["prompt"].nunique()))
    first = ordered.groupby("prompt", sort=False).head(per_prompt).head(max_pairs)
    return [_pair(row) for row in first.to_dict("records")]


def all_pairs(pairs: pd.DataFrame) -> list[ImagePair]:
    """Every pair, the target prompts first, then by prompt and seed."""
    ordered = pairs.assign(place=pairs["group"].map(ORDER.index)).sort_values(["place", *KEYS])
    return [_pair(row) for row in ordered.to_dict("records")]


def named_pairs(pairs: pd.DataFrame, names: Sequence[tuple[str, int]]) -> list[ImagePair]:
    """The pairs of these prompts and seeds, in this order; those that are not there are left out."""
    by_name = pairs.set_index(KEYS, drop=False)
    return [_pair(by_name.loc[[name]].to_dict("records")[0]) for name in names if name in by_name.index]


def anomalous_pairs(pairs: pd.DataFrame, model: str) -> list[ImagePair]:
    """The target prompts' pairs whose image of this model (base or tuned) is anomalous, by prompt and seed."""
    anomalous = pairs[f"anomalies_{model}"].map(bool) & (pairs["group"] == "target")
    return [_pair(row) for row in pairs[anomalous].sort_values(KEYS).to_dict("records")]


def _pair(row: Mapping[Hashable, Any]) -> ImagePair:
    return ImagePair(
        prompt=row["prompt"],
        group=row["group"],
        seed=int(row["seed"]),
        base=AssessedImage(Path(row["path_base"]), row["anomalies_base"]),
        tuned=AssessedImage(Path(row["path_tuned"]), row["anomalies_tuned"]),
    )


def _with_findings(samples: pd.DataFrame, images: pd.DataFrame) -> pd.DataFrame:
    """prompt, seed, group, path and anomalies (tuple, or None where no detector ran)."""
    # Where no image is anomalous, pandas reads the empty column as numbers.
    words = images["anomalies"].astype(object).where(images["anomalies"].notna(), "")
    findings = {
        name: (tuple(word.replace("_", " ") for word in text.split()) or ("anomalous",)) if int(anomalous) else ()
        for name, anomalous, text in zip(images["file_name"], images["anomalous"], words, strict=True)
        if pd.notna(anomalous)
    }
    table = samples[["prompt", "seed", "group", "path"]].copy()
    table["anomalies"] = pd.Series([findings.get(name) for name in samples["file_name"]], samples.index, dtype=object)
    return table
