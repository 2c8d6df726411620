"""Labels of simulated raters, of pictures whose classes are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from anomend.people.labelled_pairs import LabelledPairs, labelled_pairs_of
from anomend.statistics.corrected_labels import correct_labels
from anomend.statistics.dawid_skene import fit_raters

COLUMNS = ["picture", "rater", "answer", "kinds", "places", "milliseconds", "texts", "showing", "gold"]
Rates = tuple[float, float]
"""Share of wrong pictures of the base and of the tuned model."""


def answered(
    rng: np.random.Generator, wrong: np.ndarray, errors: Sequence[float], *, per_picture: int | None = None
) -> np.ndarray:
    """Answers (n, R) of raters with these errors: 0 nothing, 2 wrong, -1 not seen."""
    flips = rng.random((len(wrong), len(errors))) < np.asarray(errors)
    answers = 2 * np.where(flips, 1 - wrong[:, None], wrong[:, None])
    if per_picture is None:
        return answers
    order = np.argsort(rng.random(answers.shape), axis=1)
    return np.where(order < per_picture, answers, -1)


def simulated_pairs(
    rng: np.random.Generator,
    n: int,
    rates: Rates,
    errors: Sequence[float],
    *,
    per_picture: int | None = None,
    labelled: int | None = None,
    detector: Mapping[str, Rates] | None = None,
) -> tuple[LabelledPairs, np.ndarray]:
    """n pairs of one prompt with corrected labels of their first `labelled`, and which pictures are wrong (n, 2).

    Args:
        detector: sensitivity and specificity by model.
    """
    wrong = (rng.random((n, 2)) < np.asarray(rates)).astype(int)
    answers = answered(rng, np.concatenate([wrong[:, 0], wrong[:, 1]]), errors, per_picture=per_picture)
    if labelled is not None:
        answers[labelled:n] = answers[n + labelled :] = -1
    cells = np.repeat([0, 1], n)
    corrected = correct_labels(answers, cells, fit_raters(answers, cells))
    machine = None
    if detector is not None:
        columns = []
        for column, model in enumerate(("base", "tuned")):
            sensitivity, specificity = detector[model]
            chance = np.where(wrong[:, column] == 1, sensitivity, 1 - specificity)
            columns.append((rng.random(n) < chance).astype(float))
        machine = np.stack(columns, axis=1)
    prompts = np.array(["a prompt"] * n, dtype=object)
    return labelled_pairs_of(corrected, np.arange(n), np.arange(n, 2 * n), prompts=prompts, machine=machine), wrong


def pictures(design: Mapping[tuple[str, str], int]) -> pd.DataFrame:
    """Samples of both models: by (group, prompt), that many seeds."""
    rows = [
        (f"{group} {prompt} {seed} {model}", model, group, prompt, seed)
        for (group, prompt), seeds in design.items()
        for seed in range(seeds)
        for model in ("base", "tuned")
    ]
    return pd.DataFrame(rows, columns=["picture", "model", "group", "prompt", "seed"])


def labels_of(
    samples: pd.DataFrame,
    wrong: pd.Series,
    errors: Mapping[str, float],
    *,
    rng: np.random.Generator,
    kinds: Sequence[str] = ("extra_limb",),
) -> pd.DataFrame:
    """Every rater labels every picture, and errs with the given chance; a wrong picture has one of the kinds."""
    rows = []
    for picture, is_wrong in zip(samples["picture"], wrong, strict=True):
        kind = kinds[int(rng.integers(len(kinds)))]
        for rater, error in errors.items():
            says = bool(is_wrong) != bool(rng.random() < error)
            rows.append(
                (picture, rater, "wrong" if says else "nothing", kind if says else "", "", 4000.0, "en-1", 0, "")
            )
    return pd.DataFrame(rows, columns=COLUMNS)
