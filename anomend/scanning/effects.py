"""Why prompts fail: which factors go with a high anomaly rate, by one simple model over all prompts of a scan.

The model is a logistic regression on the levels of all factors, without interactions. Each level's effect is drawn
towards 0 by a normal prior of standard deviation `SPREAD` (logits), so that levels of which little was seen stay near
the average, and no level need be left out. What the model does not explain is about combinations: the map of the first
two factors shows these. It is a description: prompts that were settled early count with fewer images, and nothing is
tested here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anomend.scanning.rules import Tally
from anomend.scanning.suites import Suite

Floats = NDArray[np.float64]
SPREAD = 1.5
"""One level in three is expected to change the odds by more than 4.5."""
_STEPS = 50


@dataclass(frozen=True, kw_only=True)
class LevelEffect:
    """What a level does to the anomaly rate."""

    factor: str
    level: str
    effect: float
    """Change of the log-odds against the average level; above 0: more anomalies."""
    ci_low: float
    ci_high: float
    """95% interval, by the model's curvature."""
    rate: float
    """By the model: the mean anomaly rate of the suite's prompts, had all of them this level."""
    images: int


@dataclass(frozen=True, kw_only=True)
class Effects:
    """The fitted model."""

    levels: tuple[LevelEffect, ...]
    explained: Mapping[str, float]
    """Factor -> share of the differences between prompts (deviance) that is lost without the factor, 0 to 1."""
    together: float | None
    """Share that all factors explain, 0 to 1; None where the prompts do not differ."""


def factor_effects(suite: Suite, tallies: Mapping[str, Tally]) -> Effects:
    """Fit the model to the images of all prompts.

    Args:
        suite: the prompts.
        tallies: of each prompt, by its text.
    """
    columns = [(factor, level) for factor, levels in suite.factors.items() for level in levels]
    prompts = [prompt for prompt in suite.prompts if tallies[prompt.prompt].n]
    if not prompts:  # People have labelled nothing yet.
        return Effects(levels=(), explained=dict.fromkeys(suite.factors, 0.0), together=None)
    used = np.array([[prompt.levels[factor] == level for factor, level in columns] for prompt in prompts])
    seen = [tallies[prompt.prompt] for prompt in prompts]
    k = np.array([tally.n * (tally.rate or 0.0) for tally in seen], dtype=np.float64)
    n = np.array([tally.n for tally in seen], dtype=np.float64)
    weights, covariance = fit(used, k, n)
    own = np.ones(len(columns), dtype=bool)
    rates = predicted(used, weights)
    least, most = deviance(k, n, k / n), deviance(k, n, np.full(len(n), k.sum() / n.sum()))
    differ = most - least > 1e-9

    def share(chosen: NDArray[np.bool_]) -> float:
        fitted = rates if chosen.all() else predicted(used[:, chosen], fit(used[:, chosen], k, n)[0])
        return float(np.clip((most - deviance(k, n, fitted)) / (most - least), 0, 1)) if differ else 0.0

    together = share(own)
    without = {factor: share(np.array([name != factor for name, _ in columns])) for factor in suite.factors}
    levels = []
    for place, (factor, level) in enumerate(columns):
        of_factor = np.array([name == factor for name, _ in columns])
        contrast = np.zeros(len(weights))
        contrast[1 + place] += 1
        contrast[1:][of_factor] -= 1 / of_factor.sum()
        effect = float(contrast @ weights)
        error = 1.96 * float(np.sqrt(contrast @ covariance @ contrast))
        all_here = np.where(of_factor, np.arange(len(columns)) == place, used)
        levels.append(
            LevelEffect(
                factor=factor,
                level=level,
                effect=effect,
                ci_low=effect - error,
                ci_high=effect + error,
                rate=float(predicted(all_here, weights).mean()),
                images=int(n[used[:, place]].sum()),
            )
        )
    explained = {factor: max(0.0, together - rest) for factor, rest in without.items()}
    return Effects(levels=tuple(levels), explained=explained, together=together if differ else None)


def fit(used: NDArray[np.bool_], k: Floats, n: Floats) -> tuple[Floats, Floats]:
    """The most probable weights of the penalised logistic regression, and their covariance (Laplace).

    Newton's method on a strictly concave function of the effects. statsmodels has it without the intercept's exemption.

    Args:
        used: (prompts, levels) whether a prompt has a level.
        k, n: (prompts,) anomalous images, and images.

    Returns:
        (1 + levels,) intercept and effects; (1 + levels, 1 + levels).
    """
    x = np.column_stack([np.ones(len(used)), used.astype(np.float64)])
    # A wide prior of the intercept keeps it finite where all images are alike.
    penalty = np.diag([1 / 10.0**2] + [1 / SPREAD**2] * used.shape[1])
    weights = np.zeros(x.shape[1])

    def loss(at: Floats) -> float:
        logits = x @ at
        return float((n * np.logaddexp(0, logits) - k * logits).sum() + at @ penalty @ at / 2)

    for _ in range(_STEPS):
        rates = 1 / (1 + np.exp(-(x @ weights)))
        gradient = x.T @ (k - n * rates) - penalty @ weights
        step = np.linalg.solve((x.T * (n * rates * (1 - rates))) @ x + penalty, gradient)
        while loss(weights + step) > loss(weights) + 1e-12:
            step = step / 2
        weights = weights + step
        if np.abs(step).max() < 1e-10:
            break
    rates = 1 / (1 + np.exp(-(x @ weights)))
    return weights, np.linalg.inv((x.T * (n * rates * (1 - rates))) @ x + penalty)


def predicted(used: NDArray[np.bool_], weights: Floats) -> Floats:
    """The model's rate of each prompt."""
    return np.asarray(1 / (1 + np.exp(-(weights[0] + used @ weights[1:]))))


def deviance(k: Floats, n: Floats, rates: Floats) -> float:
    """-2 times the log-likelihood of the rates, without its constant."""
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(k > 0, k * np.log(rates), 0) + np.where(n > k, (n - k) * np.log1p(-rates), 0)
    return float(-2 * terms.sum())
