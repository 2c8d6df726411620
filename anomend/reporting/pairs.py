"""Pairs of images of the same prompt and seed, drawn by both models, with what the anatomy checker found in them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

KEYS = ["prompt", "seed"]
MAX_PAIRS = 100


@dataclass(frozen=True)
class Shot:
    """One image and what the anatomy checker found in it."""

    path: Path
    anomalies: tuple[str, ...] | None
    """Words such as `missing arm`; empty for a right figure; None where it was not assessed."""

    @property
    def finding(self) -> str:
        """The finding in words."""
        if self.anomalies is None:
            return "not assessed"
        return ", ".join(self.anomalies) or "no anomaly"


@dataclass(frozen=True)
class Pair:
    """The same prompt and seed, drawn by both models."""

    prompt: str
    group: str
    seed: int
    base: Shot
    tuned: Shot


def first_pairs(
    samples_base: pd.DataFrame,
    samples_tuned: pd.DataFrame,
    images_base: pd.DataFrame,
    images_tuned: pd.DataFrame,
    per_prompt: int,
    max_pairs: int = MAX_PAIRS,
) -> list[Pair]:
    """The first seeds of every prompt, so that no picture is chosen by its result; target prompts come first.

    Args:
        samples_base, samples_tuned: image sets with prompt, seed, group, file_name, path.
        images_base, images_tuned: findings with file_name, anomalous, anomalies.
        per_prompt: pairs a prompt; fewer where `max_pairs` needs it.
        max_pairs: pairs in all.

    Raises:
        ValueError: the two sets share no prompt and seed.
    """
    both = _joined(samples_base, samples_tuned, images_base, images_tuned)
    if both.empty:
        raise ValueError("base and tuned images share no prompt and seed: sample both with the same prompts and seeds")
    both["held_out"] = both["group"] != "target"
    both = both.sort_values(["held_out", *KEYS])
    per_prompt = max(1, min(per_prompt, max_pairs // both["prompt"].nunique()))
    chosen = both.groupby("prompt", sort=False).head(per_prompt).head(max_pairs)
    return [_pair(row) for row in chosen.to_dict("records")]


def named_pairs(
    samples_base: pd.DataFrame,
    samples_tuned: pd.DataFrame,
    images_base: pd.DataFrame,
    images_tuned: pd.DataFrame,
    names: Sequence[tuple[str, int]],
) -> list[Pair]:
    """The pairs of these prompts and seeds, in this order; those that are not there are left out."""
    both = _joined(samples_base, samples_tuned, images_base, images_tuned).set_index(KEYS, drop=False)
    return [_pair(both.loc[[name]].to_dict("records")[0]) for name in names if name in both.index]


def anomalous_pairs(
    samples_base: pd.DataFrame,
    samples_tuned: pd.DataFrame,
    images_base: pd.DataFrame,
    images_tuned: pd.DataFrame,
    model: str,
) -> list[Pair]:
    """The target prompts' pairs whose image of this model (base or tuned) is anomalous, by prompt and seed."""
    both = _joined(samples_base, samples_tuned, images_base, images_tuned)
    wrong = both[f"anomalies_{model}"].map(bool) & (both["group"] == "target")
    return [_pair(row) for row in both[wrong].sort_values(KEYS).to_dict("records")]


def _joined(
    samples_base: pd.DataFrame, samples_tuned: pd.DataFrame, images_base: pd.DataFrame, images_tuned: pd.DataFrame
) -> pd.DataFrame:
    """One row a prompt and seed of both sets: paths and findings."""
    found = [_with_findings(samples_base, images_base), _with_findings(samples_tuned, images_tuned)]
    return found[0].merge(found[1].drop(columns="group"), on=KEYS, suffixes=("_base", "_tuned"))


def _pair(row: Mapping[Hashable, Any]) -> Pair:
    return Pair(
        row["prompt"],
        row["group"],
        int(row["seed"]),
        Shot(Path(row["path_base"]), row["anomalies_base"]),
        Shot(Path(row["path_tuned"]), row["anomalies_tuned"]),
    )


def _with_findings(samples: pd.DataFrame, images: pd.DataFrame) -> pd.DataFrame:
    """prompt, seed, group, path and anomalies (tuple, or None where not assessed)."""
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
