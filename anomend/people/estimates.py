"""Rates of base and tuned model from labels with errors, by any part of the pictures: all, a prompt, a kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from anomend.people.answers import Answers
from anomend.statistics.corrected_labels import CorrectedLabels, correct_labels
from anomend.statistics.dawid_skene import RaterErrors, fit_raters
from anomend.statistics.noisy_pairs import Noise, NoisyPairs
from anomend.statistics.prediction_powered import PoweredMean, Stratum, powered_mean

Floats = NDArray[np.float64]
KIND_PICTURES = 10.0
"""Pictures that a rater's errors in general count as, as what is known of the errors about a single kind."""


@dataclass(frozen=True, kw_only=True)
class LabelledPairs:
    """Both pictures of each prompt and seed of one group of prompts, with their corrected labels."""

    prompts: NDArray[np.object_]
    """(n,)"""
    base: CorrectedLabels
    tuned: CorrectedLabels
    """Of n pictures each, in the same order."""
    machine: Floats | None = None
    """(n, 2): anomalous by the detector, 0 or 1, in the base and in the tuned picture; None: not used."""

    @property
    def labelled(self) -> NDArray[np.bool_]:
        """(n,): whether both pictures have labels."""
        return ~np.isnan(self.base.values) & ~np.isnan(self.tuned.values)


class Estimate(NamedTuple):
    """What the pairs say, and how much the detector helped."""

    pairs: NoisyPairs
    tuned: PoweredMean
    rise: PoweredMean


def errors_of(answers: Answers, like: Floats | None = None) -> RaterErrors:
    """The raters' errors; about a kind, beginning with the answers that they give in general, `like` (R, 2, 3)."""
    if like is None:
        return fit_raters(answers.codes, answers.cells, known=answers.known)
    return fit_raters(answers.codes, answers.cells, prior=like, prior_pictures=KIND_PICTURES)


def labelled_pairs(
    answers: Answers, errors: RaterErrors, group: str, machine: pd.Series | None = None
) -> LabelledPairs | None:
    """The pairs of one group of prompts; None without any.

    Args:
        answers: of all pictures.
        errors: of the same raters.
        group: `target` or `held_out`.
        machine: by (group, prompt, seed, model), whether the detector finds an anomaly.
    """
    pictures = answers.pictures.assign(row=np.arange(len(answers.pictures)))
    pictures = pictures[pictures["group"] == group]
    rows = pictures.pivot_table(index=["prompt", "seed"], columns="model", values="row").dropna()
    if rows.empty or not {"base", "tuned"} <= set(rows.columns):
        return None
    corrected = correct_labels(answers.codes, answers.cells, errors)
    base, tuned = (rows[model].to_numpy(dtype=int) for model in ("base", "tuned"))
    seen = None
    if machine is not None:
        found = [[machine.get((group, *key, model), np.nan) for model in ("base", "tuned")] for key in rows.index]
        seen = np.array(found, dtype=np.float64)
        seen = None if np.isnan(seen).any() else seen
    prompts = rows.index.get_level_values("prompt").to_numpy(dtype=object)
    return labelled_pairs_of(corrected, base, tuned, prompts=prompts, machine=seen)


def labelled_pairs_of(
    corrected: CorrectedLabels,
    base: NDArray[np.int_],
    tuned: NDArray[np.int_],
    *,
    prompts: NDArray[np.object_],
    machine: Floats | None = None,
) -> LabelledPairs:
    """The pairs whose pictures are these rows of the corrected labels."""
    return LabelledPairs(
        prompts=prompts, base=_chosen(corrected, base), tuned=_chosen(corrected, tuned), machine=machine
    )


def estimate(pairs: LabelledPairs) -> Estimate | None:
    """The rates and their rise, every prompt weighted by its pairs; None where a prompt has no labelled pair."""
    names, counts = np.unique(pairs.prompts, return_counts=True)
    labelled = pairs.labelled
    weights = np.zeros(len(labelled))
    strata: dict[str, list[Stratum]] = {"base": [], "tuned": [], "rise": []}
    difference = pairs.tuned.values - pairs.base.values
    machine = np.zeros((len(labelled), 2)) if pairs.machine is None else pairs.machine
    for name, count in zip(names, counts, strict=True):
        of_prompt = pairs.prompts == name
        with_label = of_prompt & labelled
        if not with_label.any():
            return None
        share = count / len(labelled)
        weights[with_label] = share / with_label.sum()
        columns = {
            "base": (pairs.base.values, machine[:, 0]),
            "tuned": (pairs.tuned.values, machine[:, 1]),
            "rise": (difference, machine[:, 1] - machine[:, 0]),
        }
        for key, (values, predicted) in columns.items():
            others = predicted[of_prompt & ~labelled]
            labels, predictions = values[with_label], predicted[with_label]
            strata[key].append(Stratum(weight=share, labels=labels, predictions=predictions, others=others))
    means = {key: powered_mean(parts) for key, parts in strata.items()}
    w = weights[labelled]
    n = 1 / float((w**2).sum())
    both = float(w @ (pairs.base.values * pairs.tuned.values)[labelled])
    estimated = NoisyPairs(
        n=float(n / means["tuned"].gain),
        rise_n=float(n / means["rise"].gain),
        seen=int(labelled.sum()),
        base=_within(means["base"].value, 0.0),
        tuned=_within(means["tuned"].value, 0.0),
        rise=_within(means["rise"].value, -1.0),
        both=_within(both, 0.0),
        tuned_noise=Noise.of(_noise(pairs, w, gain=means["tuned"].gain, base=False)),
        rise_noise=Noise.of(_noise(pairs, w, gain=means["rise"].gain, base=True)),
    )
    return Estimate(estimated, means["tuned"], means["rise"])


def of_prompt(pairs: LabelledPairs, name: str) -> LabelledPairs:
    """The pairs of one prompt."""
    rows = np.flatnonzero(pairs.prompts == name)
    machine = None if pairs.machine is None else pairs.machine[rows]
    base, tuned = _chosen(pairs.base, rows), _chosen(pairs.tuned, rows)
    return LabelledPairs(prompts=pairs.prompts[rows], base=base, tuned=tuned, machine=machine)


def _noise(pairs: LabelledPairs, weights: Floats, *, gain: float, base: bool) -> Floats:
    """Quadratic form in (1, base rate, tuned rate) of the variance from the answers and from the raters' errors."""
    labelled = pairs.labelled
    form, slope = np.zeros((3, 3)), np.zeros((pairs.tuned.covariance.shape[0], 3))
    for corrected, column, sign in ((pairs.base, 1, -1.0), (pairs.tuned, 2, 1.0)):
        if column == 1 and not base:
            continue
        right, wrong = gain * (weights**2) @ corrected.noise[labelled]
        form[0, 0] += right
        form[0, column] += (wrong - right) / 2
        form[column, 0] += (wrong - right) / 2
        low, high = np.einsum("n,nzd->zd", weights, corrected.leverage[labelled])
        slope[:, 0] += sign * low
        slope[:, column] += sign * (high - low)
    return np.asarray(form + slope.T @ pairs.tuned.covariance @ slope)


def _chosen(corrected: CorrectedLabels, rows: NDArray[np.int_]) -> CorrectedLabels:
    return CorrectedLabels(
        values=corrected.values[rows],
        noise=corrected.noise[rows],
        leverage=corrected.leverage[rows],
        covariance=corrected.covariance,
    )


def _within(value: float, low: float) -> float:
    return min(1.0, max(low, float(value)))
