"""A mixed logistic model of the votes: the sensitivity check beside the bootstrap.

logit P(tuned chosen) = preference + side * liking for left + participant + pair

with side +1/2 where the tuned image is on the left and -1/2 where it is on the right, and normal effects of participant
and pair. It keeps a liking for a side, generous raters and easy pairs apart from the preference.

The standard deviations are the variational estimates of statsmodels' `BinomialBayesMixedGLM`, under its weak priors.
Its intervals of the coefficients are not used: they hold the effects of participants and pairs fixed, and on simulated
votes covered the true preference 27 times of 60 where 57 are asked. At these standard deviations all effects are
therefore fitted once more at once, and the intervals come from the curvature there (58 of 60).
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
"""The optimiser's last digits differ from machine to machine."""
PRIOR_SD = 2.0
"""Of the two coefficients, on the log-odds scale."""
MAX_STEPS = 50
TOLERANCE = 1e-8


def mixed_logistic(votes: pd.DataFrame, seed: int) -> dict[str, Any]:
    """Fit the model.

    Args:
        votes: one row a vote: participant, pair, left_model, vote (tuned | base; 'unsure' is left out here).
        seed: seed of statsmodels' start.

    Returns:
        log_odds_tuned, ci_low, ci_high: the preference with its 95% interval, 0 for none, for a typical participant and
        pair without a liking for a side; log_odds_left, left_ci_low, left_ci_high: the liking for the left side, None
        where the tuned image was always on one side; sd_participant, sd_pair: standard deviations on the log-odds
        scale; and `reason` where the model cannot be fitted.
    """
    names = ("log_odds_tuned", "ci_low", "ci_high", "log_odds_left", "left_ci_low", "left_ci_high")
    figures: dict[str, Any] = dict.fromkeys([*names, "sd_participant", "sd_pair"])
    decided = votes[votes["vote"] != "unsure"]
    if decided["vote"].nunique() < 2 or decided["participant"].nunique() < 2 or decided["pair"].nunique() < 2:
        return {**figures, "reason": "it needs two participants, two pairs, and votes for both models"}
    sided = decided["left_model"].nunique() == 2
    side = np.where(decided["left_model"] == "tuned", 0.5, -0.5)
    fixed = np.column_stack([np.ones(len(decided)), side]) if sided else np.ones((len(decided), 1))
    effects = [_indicators(decided[column]) for column in ("participant", "pair")]
    kinds = np.repeat([0, 1], [matrix.shape[1] for matrix in effects])
    chosen = np.asarray(decided["vote"] == "tuned", dtype=np.float64)
    design = sparse.hstack(effects).tocsr()
    model = BinomialBayesMixedGLM(chosen, fixed, design, kinds, fe_p=PRIOR_SD)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            deviations = np.exp(model.fit_vb(rng=seed).vcp_mean)
        except (Warning, np.linalg.LinAlgError) as error:
            return {**figures, "reason": f"the fit failed ({' '.join(str(error).split())})"}
    precision = np.concatenate([np.full(fixed.shape[1], PRIOR_SD**-2.0), deviations[kinds] ** -2.0])
    means, errors = _penalised_logistic(chosen, np.hstack([fixed, design.toarray()]), precision)
    figures |= {
        "sd_participant": round(float(deviations[0]), DECIMALS),
        "sd_pair": round(float(deviations[1]), DECIMALS),
    }
    for index, trio in enumerate((names[:3], names[3:])[: 1 + sided]):
        mean, half = float(means[index]), Z * float(errors[index])
        ends = (mean, mean - half, mean + half)
        figures |= {name: round(value, DECIMALS) for name, value in zip(trio, ends, strict=True)}
    if not sided:
        figures["log_odds_left_reason"] = (
            "no liking for a side can be fitted: the tuned image was always on the same side"
        )
    return figures


def _penalised_logistic(
    chosen: NDArray[np.float64], design: NDArray[np.float64], precision: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Posterior mode and standard errors of a logistic regression with normal priors of these precisions, by Newton."""
    weights = np.zeros(design.shape[1])
    for _ in range(MAX_STEPS):
        rates = expit(design @ weights)
        curvature = design.T @ (design * (rates * (1 - rates))[:, None]) + np.diag(precision)
        step = np.linalg.solve(curvature, design.T @ (chosen - rates) - precision * weights)
        weights += step
        if np.abs(step).max() < TOLERANCE:
            break
    return weights, np.sqrt(np.diag(np.linalg.inv(curvature)))


def _indicators(labels: pd.Series) -> sparse.csr_matrix:
    """One column a label, one row a vote."""
    codes: NDArray[np.intp] = pd.factorize(labels, sort=True)[0]
    rows = np.arange(len(codes))
    return sparse.csr_matrix((np.ones(len(codes)), (rows, codes)))
