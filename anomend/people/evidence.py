"""All that stage `people` writes: what people's labels say of this run, in the form that the verdict reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd

from anomend.people.answers import Answers, kind_code, read_answers
from anomend.people.consistency import agreement, repeat_consistency
from anomend.people.estimates import errors_of, estimate
from anomend.people.labelled_pairs import LabelledPairs, labelled_pairs, of_prompt
from anomend.people.majority import majority_rates
from anomend.statistics.dawid_skene import UNSURE, RaterErrors

Evidence = Literal["people", "people+machine"]
GROUPS = ("target", "held_out")
SIBLINGS = "siblings"
"""A group that not every run has."""
MIN_SHARED = 20
"""Fewer pictures that two raters saw, or gold pictures, do not tell how often raters err."""
NO_LABELS = "nobody has labelled a picture of this run yet (docs/people.md)"
ERRORS_UNKNOWN = (
    f"how often the raters err is not known: let a second rater label {MIN_SHARED} of the pictures or more, or add as "
    "many gold pictures"
)


def people_metrics(
    labels: pd.DataFrame,
    pictures: pd.DataFrame,
    *,
    machine: pd.Series | None = None,
    seed: int = 0,
    resamples: int = 10_000,
) -> dict[str, Any]:
    """The content of metrics/people.json without provenance.

    Args:
        labels: as `read_labels` returns them, without raters who are excluded.
        pictures: all samples of both models: picture (SHA-256; empty where nobody was asked), model, group, prompt,
            seed.
        machine: whether the detector finds an anomaly, by (group, prompt, seed, model); None: it is not used.
        seed: of the resampling.
        resamples: bootstrap resamples of the agreement.

    Returns:
        `n` raters, `labels` (first showings of pictures of this run), `pictures` that were asked for, `labelled` ones
        and `not_seen` ones; `agreement` and `repeats`; `raters` with their errors; then `anomaly_rate_<group>` with
        `base`, `tuned` and their 95% intervals, `delta`, and the lists `prompts` and `kinds` for the verdict. What is
        missing is None, with a `reason`; `caution` says why rates decide nothing.
    """
    answers = read_answers(labels, pictures)
    groups = [*GROUPS, *([SIBLINGS] if (pictures["group"] == SIBLINGS).any() else [])]
    seen = (answers.of_design >= 0).any(axis=1)
    asked = int((answers.pictures["picture"] != "").sum())
    metrics: dict[str, Any] = {
        "n": int((answers.of_design >= 0).any(axis=0).sum()),
        "labels": int((answers.of_design >= 0).sum()),
        "pictures": asked,
        "labelled": int(seen.sum()),
        "not_seen": asked - int(seen.sum()),
        "unsure_rate": float((answers.of_design[answers.of_design >= 0] == UNSURE).mean()) if seen.any() else None,
        "median_ms": _median(labels["milliseconds"]),
        "agreement": agreement(answers, seed=seed, resamples=resamples),
        "repeats": repeat_consistency(labels, seed=seed, resamples=resamples),
    }
    if not seen.any():
        rates = {f"anomaly_rate_{group}": {"base": None, "tuned": None, "reason": NO_LABELS} for group in groups}
        return metrics | {"raters": [], **rates}
    errors = errors_of(answers)
    metrics["raters"] = [
        {
            "rater": rater,
            "labels": int((answers.of_design[:, place] >= 0).sum()),
            "sensitivity": float(errors.sensitivity[place]),
            "specificity": float(errors.specificity[place]),
            "error": float(errors.balanced_error[place]),
        }
        for place, rater in enumerate(answers.raters)
    ]
    kinds = {kind: read_answers(labels, pictures, kind_code(kind)) for kind in kinds_in(labels)}
    for group in groups:
        pairs = labelled_pairs(answers, errors, group, machine)
        entry = _group(pairs) | majority_rates(answers, group)
        entry["kinds"] = _kinds(kinds, errors, answers.raters, group) if entry["tuned"] is not None else []
        if not errors_known(answers):
            entry["caution"] = ERRORS_UNKNOWN
        metrics[f"anomaly_rate_{group}"] = entry
    return metrics


def errors_known(answers: Answers) -> bool:
    """Whether enough pictures have two raters, or a known class."""
    shared = int(((answers.of_design >= 0).sum(axis=1) >= 2).sum())
    gold = int(((answers.codes >= 0).any(axis=1) & (answers.known >= 0)).sum())
    return max(shared, gold) >= MIN_SHARED


def kinds_in(labels: pd.DataFrame) -> list[str]:
    """The kinds of anomaly that a rater has marked."""
    return sorted({kind for kinds in labels["kinds"] for kind in str(kinds).split()})


def _group(pairs: LabelledPairs | None) -> dict[str, Any]:
    nothing: dict[str, Any] = {"base": None, "tuned": None}
    if pairs is None or not pairs.labelled.any():
        return nothing | {"reason": "no pair of this group has a label on both of its pictures"}
    found = estimate(pairs)
    if found is None:
        without = sorted(set(pairs.prompts) - set(pairs.prompts[pairs.labelled]))
        return nothing | {"reason": f"{without[0]!r} has no pair with labels on both pictures"}
    whole = found.pairs
    low, high = whole.interval()
    rise_low, rise_high = whole.rise_interval()
    names = list(dict.fromkeys(pairs.prompts))
    by_prompt = {str(name): estimate(of_prompt(pairs, name)) for name in names}
    return {
        "base": whole.base,
        "tuned": whole.tuned,
        "tuned_ci_low": low,
        "tuned_ci_high": high,
        "delta": whole.rise,
        "ci_low": rise_low,
        "ci_high": rise_high,
        "pairs": whole.seen,
        "effective_pairs": float(whole.effective_pairs()),
        "machine_weight": found.rise.power,
        "labels_saved": 2 * found.rise.saved(whole.seen),
        "all": [{"name": "all", **whole.as_dict()}],
        "prompts": [{"name": name, **each.pairs.as_dict()} for name, each in by_prompt.items() if each],
    }


def _kinds(kinds: Mapping[str, Answers], errors: RaterErrors, raters: list[str], group: str) -> list[dict[str, Any]]:
    rows = []
    for kind, answers in kinds.items():
        known = [raters.index(rater) for rater in answers.raters]
        pairs = labelled_pairs(answers, errors_of(answers, like=errors.answers[known]), group)
        found = estimate(pairs) if pairs and pairs.labelled.any() else None
        if found:
            rows.append({"name": kind, **found.pairs.as_dict()})
    return rows


def _median(milliseconds: pd.Series) -> float | None:
    known = milliseconds.dropna()
    return float(np.median(known)) if len(known) else None
