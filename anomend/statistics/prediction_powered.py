"""A mean from few good labels and many cheap predictions: prediction-powered inference with power tuning (PPI++).

Of a sample, n units have a good label and all have a prediction. The mean of the labels is corrected by what the
labelled units' predictions miss of all predictions, times a weight between 0 and 1 that minimises the variance. The
estimate is unbiased whatever the predictions are worth; useless ones get a weight of about 0.

References: Angelopoulos, Bates, Fannjiang, Jordan & Zrnic 2023, doi:10.1126/science.adi6000; power tuning:
Angelopoulos, Duchi & Zrnic 2023, https://arxiv.org/abs/2311.01453; strata: Fisch et al. 2024, https://arxiv.org/abs/2406.04291.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
WORTHWHILE = 0.95
"""With a larger variance than this, over that of the labels alone, predictions are left out: they hardly help."""


@dataclass(frozen=True, kw_only=True)
class Stratum:
    """The units of one prompt."""

    weight: float
    """Share of all units; the shares of all strata sum to 1."""
    labels: Floats
    """(n,): good labels, n at least 1."""
    predictions: Floats
    """(n,): predictions of the same units."""
    others: Floats
    """(N,): predictions of the units without a label; may be empty."""

    @property
    def labelled_share(self) -> float:
        """Share of the units with a label."""
        return len(self.labels) / (len(self.labels) + len(self.others))


@dataclass(frozen=True, kw_only=True)
class PoweredMean:
    """An estimate from labels and predictions."""

    value: float
    power: float
    """Weight of the predictions, 0 to 1; 0: the labels alone."""
    gain: float
    """Variance over that of the labels alone, above 0 and at most 1."""

    def saved(self, labelled: int) -> int:
        """How many more labels would have given this variance without predictions."""
        return int(labelled / self.gain) - labelled


def powered_mean(strata: Sequence[Stratum]) -> PoweredMean:
    """The stratified mean with one weight for all strata; by the labels alone where predictions do not help.

    The gain is understated where labels are few: one disagreement of size 1 is added to those that were seen, since no
    disagreement among few does not show that there is none.
    """
    alone = sum(one.weight * float(one.labels.mean()) for one in strata)
    power = power_tuning(strata)
    gain = _gain(strata, power) if power > 0 else 1.0
    if gain > WORTHWHILE:
        return PoweredMean(value=alone, power=0.0, gain=1.0)
    missed = 0.0
    for one in strata:
        everywhere = np.concatenate([one.predictions, one.others])
        missed += one.weight * (float(everywhere.mean()) - float(one.predictions.mean()))
    return PoweredMean(value=alone + power * missed, power=power, gain=gain)


def power_tuning(strata: Sequence[Stratum]) -> float:
    """The weight with the smallest variance, within 0 to 1: the regression of the labels on the predictions.

    For one stratum it is (1 + n/N) times the lambda of Angelopoulos, Duchi & Zrnic, whose rectified mean leaves the
    labelled units out of the mean of all predictions.
    """
    together = spread = 0.0
    for one in strata:
        factor = one.weight**2 * (1 - one.labelled_share) / len(one.labels)
        centred = one.predictions - one.predictions.mean()
        together += factor * float((one.labels - one.labels.mean()) @ centred) / len(one.labels)
        spread += factor * float(np.concatenate([one.predictions, one.others]).var(ddof=1))
    return min(1.0, max(0.0, together / spread)) if spread > 0 else 0.0


def _gain(strata: Sequence[Stratum], power: float) -> float:
    before = after = 0.0
    freedom = sum(len(one.labels) for one in strata) - len(strata)
    lost = freedom / (freedom - 1) if freedom > 1 else 2.0
    for one in strata:
        n, labelled = len(one.labels), one.labelled_share
        total = (float(((one.labels - one.labels.mean()) ** 2).sum()) + 1 / len(strata)) / n
        residuals = one.labels - power * one.predictions
        left = lost * (float(((residuals - residuals.mean()) ** 2).sum()) + 1 / len(strata)) / n
        before += one.weight**2 / n * total
        after += one.weight**2 / n * (labelled * total + (1 - labelled) * left)
    return after / before
