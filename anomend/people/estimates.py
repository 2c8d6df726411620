"""Rates of base and tuned model from labels with errors, by any part of the pictures: all, a prompt, a kind."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from anomend.people.answers import Answers
from anomend.people.labelled_pairs import LabelledPairs
from anomend.statistics.dawid_skene import RaterErrors, fit_raters
from anomend.statistics.noisy_pairs import Noise, NoisyPairs
from anomend.statistics.prediction_powered import PoweredMean, Stratum, powered_mean

Floats = NDArray[np.float64]
KIND_PICTURES = 10.0
"""Pictures that a rater's errors in general count as, as what is known of the errors about a single kind."""
WIDEST = 1.05
"""The detector is left out where the interval with it is more than this times as wide as that of people alone."""


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


def estimate(pairs: LabelledPairs) -> Estimate | None:
    """The rates and their rise, every prompt weighted by its pairs; None where a prompt has no labelled pair.

    The detector narrows the intervals on average, not always: by few labels the rate may be near 0, where intervals are
    narrow, and with the detector further up. Where an interval would be more than `WIDEST` times as wide as that of
    people alone, people alone decide; this holds for the tuned rate and for the rise, each by itself.
    """
    helped = _estimate(pairs)
    if helped is None or pairs.machine is None:
        return helped
    alone = _estimate(replace(pairs, machine=None))
    assert alone, "people's labels are the same"
    if _width(helped.pairs.interval()) > WIDEST * _width(alone.pairs.interval()):
        kept = {name: getattr(alone.pairs, name) for name in ("n", "tuned", "tuned_noise")}
        helped = helped._replace(pairs=replace(helped.pairs, **kept), tuned=alone.tuned)
    if _width(helped.pairs.rise_interval()) > WIDEST * _width(alone.pairs.rise_interval()):
        kept = {name: getattr(alone.pairs, name) for name in ("rise_n", "rise", "rise_noise", "base", "both")}
        helped = helped._replace(pairs=replace(helped.pairs, **kept), rise=alone.rise)
    return helped


def _estimate(pairs: LabelledPairs) -> Estimate | None:
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


def _width(interval: tuple[float, float]) -> float:
    low, high = interval
    return high - low


def _within(value: float, low: float) -> float:
    return min(1.0, max(low, float(value)))
