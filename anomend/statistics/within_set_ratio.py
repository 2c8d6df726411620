"""Tuned over base of a within-set mean, such as diversity, where the two have different images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

MIN_IMAGES = 8
"""Fewest images of a prompt. With fewer, the error of the mean is itself hardly known."""


@dataclass(frozen=True, kw_only=True)
class PromptMean:
    """`within_set_mean` of one prompt's images, with its variance at new seeds."""

    value: float
    variance: float
    images: int


@dataclass(frozen=True, kw_only=True)
class SetMean:
    """Mean over prompts of the within-set means, with its error."""

    value: float
    images: int
    """Images of all prompts."""
    relative_variance: float
    """Variance of the mean, at new seeds for these prompts, over its square."""
    freedom: float
    """Degrees of freedom of that variance (Satterthwaite)."""


@dataclass(frozen=True, kw_only=True)
class LogRatio:
    """A ratio with the standard error of its logarithm."""

    ratio: float
    log_error: float
    freedom: float

    def interval(self, confidence: float) -> tuple[float, float]:
        """Two-sided interval of the ratio, by Student's t of its logarithm."""
        from scipy.special import stdtrit  # Not at the top: a stage that decides nothing need not load it.

        length = float(stdtrit(self.freedom, 0.5 + confidence / 2)) * self.log_error
        return self.ratio * math.exp(-length), self.ratio * math.exp(length)


def jackknife(matrix: ArrayLike) -> PromptMean:
    """The within-set mean of one prompt, with its variance by leaving out one image at a time.

    Args:
        matrix: symmetric, of the prompt's images, shape (n, n), n >= `MIN_IMAGES`.

    Raises:
        ValueError: there are too few images.
    """
    values = np.asarray(matrix, dtype=np.float64)
    n = len(values)
    if n < MIN_IMAGES:
        raise ValueError(f"the error of a within-set mean takes {MIN_IMAGES} images of each prompt or more")
    rows = values.sum(axis=1) - np.diag(values)
    left_out = (rows.sum() - 2 * rows) / ((n - 1) * (n - 2))
    variance = (n - 1) / n * float(((left_out - left_out.mean()) ** 2).sum())
    return PromptMean(value=float(rows.sum()) / (n * (n - 1)), variance=variance, images=n)


def over_prompts(means: Sequence[PromptMean]) -> SetMean:
    """The mean over prompts, one or more, each with its own seeds."""
    value, total = float(np.mean([each.value for each in means])), sum(each.variance for each in means)
    spread = sum(each.variance**2 / (each.images - 1) for each in means)
    return SetMean(
        value=value,
        images=sum(each.images for each in means),
        relative_variance=total / len(means) ** 2 / value**2 if value > 0 else math.inf,
        freedom=total**2 / spread if spread > 0 else float(sum(each.images - 1 for each in means)),
    )


def log_ratio(base: SetMean, tuned: SetMean) -> LogRatio | None:
    """tuned / base; None where one of them is 0.

    Both errors come from the variance per image that is larger, because few right images of one model often look alike
    by chance, and their own variance is then too small as well: with 8 images per prompt a test at 5% would pass 8.5%
    of truths at the limit, and passes at most 5.2% so.
    """
    if base.value <= 0 or tuned.value <= 0:
        return None
    wider = max(base, tuned, key=lambda side: side.relative_variance * side.images)
    per_image = wider.relative_variance * wider.images
    error = math.sqrt(per_image * (1 / base.images + 1 / tuned.images))
    return LogRatio(ratio=tuned.value / base.value, log_error=error, freedom=wider.freedom)
