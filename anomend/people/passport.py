"""The passport of a detector: how often it is right about this run's pictures, model by model, by people's labels.

A detector that is good on photographs, or on the base model's pictures, may miss what the tuned model draws wrong: its
rates then fall although nothing was corrected. So no detector of photographs decides a verdict by itself. Its passport
shows what it is worth here, and `verdict.evidence: people+machine` uses it as far as it is worth something
(`statistics.prediction_powered`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from anomend.people.answers import KEYS, Answers, read_answers
from anomend.people.estimates import errors_of
from anomend.people.evidence import ERRORS_UNKNOWN, NO_LABELS, errors_known
from anomend.statistics.corrected_labels import correct_labels
from anomend.statistics.dawid_skene import RaterErrors
from anomend.statistics.one_sided import lowest_limit

Floats = NDArray[np.float64]
FEWEST = 5.0
"""Fewer wrong pictures do not tell a sensitivity, fewer right ones no specificity."""


def passport(answers: Answers, errors: RaterErrors, machine: pd.Series, detector: str) -> dict[str, Any]:
    """The content of metrics/passport.json without provenance.

    Args:
        answers: people's answers to this run's pictures.
        errors: of their raters.
        machine: whether the detector finds an anomaly, by (group, prompt, seed, model).
        detector: its name.

    Returns:
        `detector`; `base` and `tuned`, each with the number of pictures that people labelled and `sensitivity` and
        `specificity` with their 95% intervals, corrected for the raters' errors; None with a `reason`.
    """
    corrected = correct_labels(answers.codes, answers.cells, errors)
    pictures = answers.pictures
    found = np.array([machine.get(tuple(row), np.nan) for row in pictures[KEYS].itertuples(index=False)], dtype=float)
    rows: dict[str, Any] = {"detector": detector}
    for model in ("base", "tuned"):
        n = len(pictures)
        chosen = (pictures["model"] == model).to_numpy() & ~np.isnan(corrected.values[:n]) & ~np.isnan(found)
        places = np.flatnonzero(chosen)
        entry: dict[str, Any] = {"pictures": len(places)}
        for name, wrong in (("sensitivity", True), ("specificity", False)):
            entry[name] = _share(
                corrected.values[places] if wrong else 1 - corrected.values[places],
                found[places] if wrong else 1 - found[places],
                noise=corrected.noise[places],
                posterior=errors.posterior[places],
                leverage=corrected.leverage[places],
                covariance=corrected.covariance,
            )
        rows[model] = entry
    return rows


def run_passport(
    labels: pd.DataFrame, pictures: pd.DataFrame, machine: pd.Series | None, detector: str
) -> dict[str, Any]:
    """The passport of a run's detector; without labels or a detector, why there is none.

    Args:
        labels, pictures: as for `people_metrics`.
        machine: as for `passport`; None: no detector ran.
        detector: its name.
    """
    answers = read_answers(labels, pictures)
    if machine is None:
        reason = "no detector ran"
    elif not (answers.of_design >= 0).any():
        reason = NO_LABELS
    elif not errors_known(answers):
        reason = ERRORS_UNKNOWN
    else:
        return passport(answers, errors_of(answers), machine, detector)
    return {"detector": detector, "base": None, "tuned": None, "reason": reason}


def _share(
    member: Floats, right: Floats, *, noise: Floats, posterior: Floats, leverage: Floats, covariance: Floats
) -> Mapping[str, float | str | None]:
    """Share of the pictures of a class that the detector names rightly: mean of member * right over mean of member.

    Args:
        member: (n,) corrected labels: 1 for a picture of the class, 0 for another, on average.
        right: (n,) 1 where the detector says that the picture is of the class.
        noise, leverage, covariance: of `CorrectedLabels`.
        posterior: (n,) probability that the picture is wrong.
    """
    n, size = len(member), float(member.sum())
    if n == 0 or size < FEWEST:
        few = f"people found {max(0.0, size):.0f} such pictures: it takes {FEWEST:.0f}"
        return {"value": None, "ci_low": None, "ci_high": None, "reason": few}
    value = min(1.0, max(0.0, float(member @ right) / size))
    of_class = np.stack([1 - posterior, posterior], axis=1)
    variance_of_label = (of_class * noise).sum(axis=1)
    slopes = np.einsum("nz,nzd->nd", of_class, leverage)
    z = NormalDist().inv_cdf(0.975)

    def outside(share: float) -> bool:
        weights = right - share
        slope = weights @ slopes
        variance = size * share * (1 - share) + weights**2 @ variance_of_label + float(slope @ covariance @ slope)
        return abs(value - share) * size > z * math.sqrt(max(0.0, variance))

    low = -lowest_limit(lambda share: float(not outside(-share)), 0.5, low=-value, high=0.0)
    high = lowest_limit(lambda share: float(not outside(share)), 0.5, low=value, high=1.0)
    return {"value": value, "ci_low": max(0.0, low), "ci_high": min(1.0, high)}
