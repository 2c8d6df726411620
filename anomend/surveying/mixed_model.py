"""A mixed logistic model of the votes, as a sensitivity check of the bootstrap.

logit P(vote for tuned) = preference + side * preference for left + participant + pair

with side +1/2 where the tuned image is on the left and -1/2 where it is on the right, and normal effects of participant
and pair. It separates the preference from a preference for a side, from generous raters, and from easy pairs.

The standard deviations are the variational estimates of statsmodels' `BinomialBayesMixedGLM`, under its weak priors.
Its intervals of the coefficients are not used: they hold the effects of participants and pairs fixed, and covered the
true preference in only 27 of 60 simulated surveys, where 57 are expected. All effects are therefore fitted once more,
together, at these standard deviations, and the intervals come from the curvature there (58 of 60).
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse
from scipy.special import expit
from statsmodels.genmod.bayes_mixed_glm import BinomialBayesMixedGLM

Z = 1.96
"""Standard errors on each side of a 95% interval."""
DECIMALS = 3
"""Decimals kept: the optimiser's last digits differ between machines."""
PRIOR_SD = 2.0
"""Of the two coefficients, on the log-odds scale."""
MAX_STEPS = 50
TOLERANCE = 1e-8


def mixed_logistic(votes: pd.DataFrame, seed: int) -> dict[str, Any]:
    """Fit the model.

    Args:
        votes: one row per vote: participant, pair, left_model, vote (tuned | base; 'unsure' is left out here).
        seed: seed of statsmodels' start.

    Returns:
        log_odds_tuned, ci_low, ci_high: the preference with its 95% interval, 0 for none, of a typical participant on a
        typical pair, without a preference for a side; log_odds_left, left_ci_low, left_ci_high: the preference for the
        left side, None if the tuned image was always on one side; sd_participant, sd_pair: standard deviations on the
        log-odds scale; and `reason` if the model cannot be fitted.
    """
    preference = ("log_odds_tuned", "ci_low", "ci_high")
    side_preference = ("log_odds_left", "left_ci_low", "left_ci_high")
    metrics: dict[str, Any] = dict.fromkeys([*preference, *side_preference, "sd_participant", "sd_pair"])
    decided = votes[votes["vote"] != "unsure"]
    if decided["vote"].nunique() < 2 or decided["participant"].nunique() < 2 or decided["pair"].nunique() < 2:
        return {**metrics, "reason": "it needs two participants, two pairs, and votes for both models"}
    both_sides = decided["left_model"].nunique() == 2
    side = np.where(decided["left_model"] == "tuned", 0.5, -0.5)
    fixed = np.column_stack([np.ones(len(decided)), side]) if both_sides else np.ones((len(decided), 1))
    effects = [_indicators(decided[column]) for column in ("participant", "pair")]
    kinds = np.repeat([0, 1], [matrix.shape[1] for matrix in effects])
    for_tuned = np.asarray(decided["vote"] == "tuned", dtype=np.float64)
    design = sparse.hstack(effects).tocsr()
    model = BinomialBayesMixedGLM(for_tuned, fixed, design, kinds, fe_p=PRIOR_SD)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            deviations = np.exp(model.fit_vb(rng=seed).vcp_mean)
        except (Warning, np.linalg.LinAlgError) as error:
            return {**metrics, "reason": f"the fit failed ({' '.join(str(error).split())})"}
    precision = np.concatenate([np.full(fixed.shape[1], PRIOR_SD**-2.0), deviations[kinds] ** -2.0])
    means, errors = _penalised_logistic(for_tuned, np.hstack([fixed, design.toarray()]), precision)
    metrics |= {
        "sd_participant": round(float(deviations[0]), DECIMALS),
        "sd_pair": round(float(deviations[1]), DECIMALS),
    }
    metrics |= _with_interval(preference, float(means[0]), float(errors[0]))
    if both_sides:
        metrics |= _with_interval(side_preference, float(means[1]), float(errors[1]))
    else:
        metrics["log_odds_left_reason"] = (
            "no liking for a side can be fitted: the tuned image was always on the same side"
        )
    return metrics


def _with_interval(names: tuple[str, str, str], mean: float, error: float) -> dict[str, float]:
    """A mean and the ends of its 95% interval, under three names."""
    values = (mean, mean - Z * error, mean + Z * error)
    return {name: round(value, DECIMALS) for name, value in zip(names, values, strict=True)}


def _penalised_logistic(
    for_tuned: NDArray[np.float64], design: NDArray[np.float64], precision: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Posterior mode and standard errors of a logistic regression with normal priors of these precisions, by Newton."""
    weights = np.zeros(design.shape[1])
    for _ in range(MAX_STEPS):
        rates = expit(design @ weights)
        curvature = design.T @ (design * (rates * (1 - rates))[:, None]) + np.diag(precision)
        step = np.linalg.solve(curvature, design.T @ (for_tuned - rates) - precision * weights)
        weights += step
        if np.abs(step).max() < TOLERANCE:
            break
    return weights, np.sqrt(np.diag(np.linalg.inv(curvature)))


def _indicators(labels: pd.Series) -> sparse.csr_matrix:
    """One column per label, one row per vote."""
    codes: NDArray[np.intp] = pd.factorize(labels, sort=True)[0]
    rows = np.arange(len(codes))
    return sparse.csr_matrix((np.ones(len(codes)), (rows, codes)))
