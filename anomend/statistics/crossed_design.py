"""How precise a mean of votes is that are crossed, every rater judging every pair, and how many raters that takes.

A vote is the mean, plus an effect of the rater, plus one of the pair, plus a rest, with variances r, p and e. With R
raters and P pairs the mean has the variance r/R + p/P + e/(RP). The interval of `crossed.crossed_interval` counts the
rest three times (Owen 2007, doi:10.1214/07-AOAS122): what it shows is r/R + p/P + 3e/(RP).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from scipy.optimize import brentq
from scipy.stats import norm

MOST = 100_000
"""Raters or pairs; what needs more is called impossible."""
REST_COUNTED = 3
"""How often the bootstrap counts the variance of the rest."""


@dataclass(frozen=True)
class CrossedVotes:
    """Variances of a vote, 0 or 1, around the share of votes for one side."""

    share: float
    rater: float
    pair: float
    rest: float

    def shown_error(self, raters: float, pairs: float) -> float:
        """Standard error on which the bootstrap's interval rests."""
        return math.sqrt(self.rater / raters + self.pair / pairs + REST_COUNTED * self.rest / (raters * pairs))

    def true_error(self, raters: float, pairs: float) -> float:
        """Standard error of the share."""
        return math.sqrt(self.rater / raters + self.pair / pairs + self.rest / (raters * pairs))


def crossed_votes(share: float, *, sd_rater: float, sd_pair: float) -> CrossedVotes:
    """The variances that belong to standard deviations on the log-odds scale.

    Each effect has the share of the variance share * (1 - share) that it has of the latent variance, of which the rest
    is pi^2 / 3 (Nakagawa and Schielzeth 2010, doi:10.1111/j.1469-185X.2010.00141.x): an approximation.

    Args:
        share: share of votes for one side, above 0 and below 1.
        sd_rater: standard deviation of the raters' effects; 0 or more.
        sd_pair: that of the pairs.
    """
    latent = sd_rater**2 + sd_pair**2 + math.pi**2 / 3
    variance = share * (1 - share)
    rater, pair = variance * sd_rater**2 / latent, variance * sd_pair**2 / latent
    return CrossedVotes(share=share, rater=rater, pair=pair, rest=variance - rater - pair)


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
