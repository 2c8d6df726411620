"""Rates and their rise from labels that err: pairs of pictures whose classes are known with noise only.

The counterpart of `PairCounts`, with the same tests. Noise makes labels worth fewer: a test at a limit takes as many
perfect labels as would have the variance that the estimate has there ("effective" sample size, Korn & Graubard 1998,
https://www150.statcan.gc.ca/n1/en/catalogue/12-001-X19980024356). With perfect labels it is the test of perfect labels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomend.statistics.one_sided import Tails, lowest_limit
from anomend.statistics.paired_rise import score_tails

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Noise:
    """Variance of a mean of labels beyond that of perfect ones, as a quadratic form of (1, base rate, tuned rate)."""

    form: tuple[tuple[float, float, float], ...]
    """Symmetric, 3 by 3."""

    @classmethod
    def of(cls, form: Floats) -> Noise:
        """From an array (3, 3)."""
        return cls(form=tuple((float(a), float(b), float(c)) for a, b, c in (form + form.T) / 2))

    def at(self, base: float, tuned: float) -> float:
        """The variance, 0 or more."""
        rates = np.array([1.0, base, tuned])
        return max(0.0, float(rates @ np.array(self.form) @ rates))


@dataclass(frozen=True, kw_only=True)
class NoisyPairs:
    """Pairs of pictures of the same prompt and seed, base and tuned, of which the labels tell with noise."""

    n: float
    """Pairs of perfect labels with the variance that the estimates have apart from noise; with labels of people alone,
    the pairs that they labelled."""
    seen: int
    """Pairs that people labelled."""
    base: float
    tuned: float
    """Estimated rates, from 0 to 1."""
    rise: float
    """Tuned less base, estimated by itself, from -1 to 1."""
    both: float
    """Estimated share of pairs in which both pictures are wrong."""
    tuned_noise: Noise
    rise_noise: Noise
    rise_n: float | None = None
    """As `n`, for the rise; None: the same."""

    @property
    def tuned_rate(self) -> float:
        """Share of wrong pictures of the tuned model."""
        return self.tuned

    @property
    def whole_pairs(self) -> int:
        """Pairs of perfect labels that these are worth, rounded down."""
        return int(self.effective_pairs())

    def tuned_tails(self, limit: float) -> Tails:
        """Tails of the tuned rate at a limit: binomial, of the effective number of pictures.

        The variance of the estimate at the limit is that of n_e perfect labels, of which n_e times the estimate are
        wrong.
        """
        if limit >= 1:
            return Tails(beyond=0.0, within=1.0)
        if limit <= 0:
            return Tails(beyond=1.0, within=0.0 if self.tuned > 0 else 1.0)
        n = self._effective(limit * (1 - limit) / self.n, self.tuned_noise.at(self.base, limit)) * self.n
        return fractional_tails(n * self.tuned, n, limit)

    def rise_tails(self, limit: float) -> Tails:
        """Tails of the rise at a limit: Tango's score with continuity correction, of the effective number of pairs."""
        pairs = self.rise_n or self.n
        up, down = self._discordant()
        share = restricted_share(up, down, limit)
        perfect = max(1e-12, 2 * share + limit * (1 - limit)) / pairs
        base = min(1.0, max(0.0, self.base))
        n = pairs * self._effective(perfect, self.rise_noise.at(base, min(1.0, max(0.0, base + limit))))
        return score_tails(n, n * down, n * up, limit)

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Two-sided score interval of the tuned rate; without noise it is Wilson's.

        The raters' errors are estimated from the pictures that they labelled, so with noise the quantile is Student's:
        of 64 pictures that five raters with errors of .2 label, the normal's held the truth in less than 94%.
        """
        z = _quantile(0.5 + confidence / 2, self.seen if self.tuned_noise.at(self.base, self.tuned) > 0 else None)

        def outside(rate: float) -> bool:
            variance = rate * (1 - rate) / self.n + self.tuned_noise.at(self.base, rate)
            return abs(self.tuned - rate) > z * math.sqrt(variance)

        low = -lowest_limit(lambda rate: float(not outside(-rate)), 0.5, low=-self.tuned, high=0.0)
        high = lowest_limit(lambda rate: float(not outside(rate)), 0.5, low=self.tuned, high=1.0)
        return max(0.0, low), min(1.0, high)

    def rise_interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Two-sided interval of the rise, by inverting `rise_tails`."""
        error = (1 - confidence) / 2
        high = lowest_limit(lambda limit: self.rise_tails(limit).beyond, error, low=-1.0, high=1.0)
        low = -lowest_limit(lambda limit: self.rise_tails(-limit).within, error, low=-1.0, high=1.0)
        return low, high

    def effective_pairs(self) -> float:
        """Pairs of perfect labels that would have told the tuned rate as exactly."""
        rate = min(0.98, max(0.02, self.tuned))
        return self._effective(rate * (1 - rate) / self.n, self.tuned_noise.at(self.base, rate)) * self.n

    def as_dict(self) -> dict[str, Any]:
        """As metrics/people.json has it."""
        plain = {name: getattr(self, name) for name in _PLAIN}
        return plain | {name: [list(row) for row in getattr(self, name).form] for name in _NOISE}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> NoisyPairs:
        """As `as_dict` wrote it; other keys are ignored.

        Raises:
            KeyError, TypeError, ValueError: a key is missing, or a value is not possible.
        """
        tuned_noise, rise_noise = (Noise.of(np.array(stored[name], dtype=np.float64).reshape(3, 3)) for name in _NOISE)
        plain = {name: stored[name] for name in _PLAIN}
        pairs = cls(**plain, tuned_noise=tuned_noise, rise_noise=rise_noise)
        numbers = [pairs.n, pairs.rise_n or pairs.n, pairs.base, pairs.tuned, pairs.rise, pairs.both]
        sound = all(math.isfinite(number) for number in numbers) and pairs.n > 0
        if not sound or not (0 <= pairs.base <= 1 and 0 <= pairs.tuned <= 1 and -1 <= pairs.rise <= 1):
            raise ValueError(f"{stored}: rates are from 0 to 1, of more than 0 pairs")
        return pairs

    def _discordant(self) -> tuple[float, float]:
        """Estimated shares of pairs that only the tuned and only the base model has, whose difference is the rise."""
        down = min(1 - max(0.0, self.rise), max(0.0, self.base - self.both, -self.rise))
        down = min(down, (1 - self.rise) / 2)
        return down + self.rise, down

    @staticmethod
    def _effective(perfect: float, noise: float) -> float:
        return perfect / (perfect + noise)


_PLAIN = ("n", "seen", "base", "tuned", "rise", "both", "rise_n")
_NOISE = ("tuned_noise", "rise_noise")


def fractional_tails(k: float, n: float, limit: float) -> Tails:
    """Binomial tails for counts that are not whole, by the incomplete beta function."""
    from scipy.special import betainc  # Not at the top: a stage that decides nothing need not load it.

    k = min(n, max(0.0, k))
    beyond = float(betainc(n - k, k + 1, 1 - limit)) if n > k else 1.0
    within = float(betainc(k, n - k + 1, limit)) if k > 0 else 1.0
    return Tails(beyond=beyond, within=within)


def restricted_share(up: float, down: float, limit: float) -> float:
    """Likeliest share of pairs that only the base has, if the rise is the limit (`paired_rise`); up, down: shares."""
    linear = -up - down + (2 - up + down) * limit
    constant = -down * limit * (1 - limit)
    return (math.sqrt(max(0.0, linear**2 - 8 * constant)) - linear) / 4


def _quantile(level: float, pictures: int | None) -> float:
    """Student's quantile for an error estimated from so many pictures; None: the normal's, for a known error."""
    if pictures is None or pictures <= 2:
        return NormalDist().inv_cdf(level)
    from scipy.special import stdtrit  # Not at the top: a stage that decides nothing need not load it.

    return float(stdtrit(pictures - 1, level))
