"""How precise a mean of votes is that are crossed, every rater judging every pair, and how many raters that takes.

A vote is the mean, plus an effect of the rater, plus one of the pair, plus a rest, with variances r, p and e. With R
raters and P pairs the mean has the variance r/R + p/P + e/(RP). The interval of `crossed.crossed_interval` rests on
another one, since rest and effects are drawn together (Owen 2007, doi:10.1214/07-AOAS122). With every pair judged by
every rater, its expectation is r/R (1 - 1/R) + p/P (1 - 1/P) + e/(RP) ((2 - 1/R)(2 - 1/P) - 1).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit
from scipy.stats import norm

MOST = 100_000
"""Raters or pairs; what needs more is called impossible."""
NODES = 40
"""Of the integration over the effects."""


@dataclass(frozen=True)
class CrossedVotes:
    """Variances of a vote, 0 or 1, around the share of votes for one side."""

    share: float
    rater: float
    pair: float
    rest: float

    def shown_error(self, raters: float, pairs: float) -> float:
        """Standard error on which the bootstrap's interval rests."""
        within = self.rater / raters * (1 - 1 / raters) + self.pair / pairs * (1 - 1 / pairs)
        return math.sqrt(within + self.rest / (raters * pairs) * ((2 - 1 / raters) * (2 - 1 / pairs) - 1))

    def true_error(self, raters: float, pairs: float) -> float:
        """Standard error of the share."""
        return math.sqrt(self.rater / raters + self.pair / pairs + self.rest / (raters * pairs))


def crossed_votes(share: float, *, sd_rater: float, sd_pair: float) -> CrossedVotes:
    """The variances of votes whose log-odds are a constant plus normal effects of rater and pair.

    Args:
        share: share of votes for one side, above 0 and below 1.
        sd_rater: standard deviation of the raters' effects, log-odds; 0 or more.
        sd_pair: that of the pairs.
    """
    nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
    weights = weights / weights.sum()
    effects = sd_rater * nodes[:, None] + sd_pair * nodes[None, :]

    def mean(constant: float) -> float:
        return float(weights @ expit(constant + effects) @ weights)

    constant = brentq(lambda constant: mean(constant) - share, -50, 50)
    chances = expit(constant + effects)
    rater = float(weights @ (chances @ weights) ** 2) - share**2
    pair = float((weights @ chances) ** 2 @ weights) - share**2
    return CrossedVotes(share=share, rater=rater, pair=pair, rest=share * (1 - share) - rater - pair)


def interval_width(votes: CrossedVotes, raters: float, pairs: float, confidence: float = 0.95) -> float:
    """Expected width of the bootstrap's interval of the share."""
    return float(2 * norm.ppf(0.5 + confidence / 2) * votes.shown_error(raters, pairs))


def power_above(votes: CrossedVotes, raters: float, pairs: float, *, limit: float, error: float) -> float:
    """The chance that the share is shown to exceed a limit, by a one-sided test with the bootstrap's error."""
    margin = votes.share - limit - norm.ppf(1 - error) * votes.shown_error(raters, pairs)
    return float(norm.cdf(margin / votes.true_error(raters, pairs)))


def smallest(reached: Callable[[float], float]) -> int | None:
    """The smallest whole number, 2 or more, from which on a rising function is 0 or above; None: there is none.

    Args:
        reached: rises with the number of raters or pairs; below 0 where they are too few.
    """
    if reached(2) >= 0:
        return 2
    if reached(MOST) < 0:
        return None
    # What is needed exactly is a whole number in a formula's rounding.
    return math.ceil(brentq(reached, 2, MOST, xtol=1e-6) - 1e-4)
