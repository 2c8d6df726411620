"""Agreement between raters on categories without an order."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomend.project.seeding import numpy_generator
from anomend.statistics.resampling import percentile_interval


def cohen_kappa(table: NDArray[Any]) -> NDArray[np.float64]:
    """Cohen's kappa of two raters (Cohen 1960): (p_o - p_e) / (1 - p_e); statsmodels takes one table at a time.

    Args:
        table: confusion counts, shape (..., k, k).

    Returns:
        Shape (...): 1 for full agreement, about 0 for agreement by chance. NaN where both raters always make the same
        choice, because they then always agree by chance, and where there are no counts.
    """
    counts = np.asarray(table, dtype=float)
    total = counts.sum(axis=(-2, -1))
    with np.errstate(invalid="ignore", divide="ignore"):
        observed = np.trace(counts, axis1=-2, axis2=-1) / total
        expected = (counts.sum(axis=-1) * counts.sum(axis=-2)).sum(axis=-1) / total**2
        return np.asarray(np.where(expected < 1, (observed - expected) / (1 - expected), np.nan))


def fleiss_kappa(counts: NDArray[np.int_]) -> float | None:
    """Fleiss' kappa (Fleiss 1971), by statsmodels.

    Args:
        counts: ratings of each unit in each category, shape (units, categories).

    Returns:
        Kappa: 1 for full agreement, about 0 for agreement by chance. None where the units have unequal numbers of
        ratings or fewer than two, or where all ratings are of one category.
    """
    from statsmodels.stats.inter_rater import fleiss_kappa as by_statsmodels  # 0.3 s that few need to wait.

    counts = counts[:, counts.sum(axis=0) > 0]
    ratings = counts.sum(axis=1)
    if len(counts) == 0 or counts.shape[1] < 2 or ratings.min() < 2 or ratings.min() != ratings.max():
        return None
    return float(by_statsmodels(counts, method="fleiss"))


def krippendorff_alpha(counts: NDArray[np.int_]) -> float | None:
    """Krippendorff's alpha for nominal data; units may have unequal numbers of ratings.

    With n_uc ratings of unit u in category c, n_u of unit u, and n_c and n over the units with at least two ratings:
    alpha = 1 - (n - 1) * sum_u sum_{c != k} n_uc n_uk / (n_u - 1) / sum_{c != k} n_c n_k
    (Krippendorff 2011, Computing Krippendorff's Alpha-Reliability, part E).

    Args:
        counts: ratings of each unit in each category, shape (units, categories).

    Returns:
        Alpha: 1 for full agreement, 0 for agreement by chance. None where no unit has two ratings, or where all
        ratings are of one category.
    """
    pairable = counts[counts.sum(axis=1) >= 2].astype(float)
    per_unit, per_category = pairable.sum(axis=1), pairable.sum(axis=0)
    expected = per_category.sum() ** 2 - (per_category**2).sum()
    if expected == 0:
        return None
    differing = per_unit**2 - (pairable**2).sum(axis=1)
    observed = float((differing / (per_unit - 1)).sum())
    return float(1 - (per_category.sum() - 1) * observed / expected)


def krippendorff_interval(
    counts: NDArray[np.int_], *, seed: int, resamples: int = 10_000
) -> tuple[float, float] | tuple[None, None]:
    """95% percentile interval of Krippendorff's alpha: pictures are drawn with replacement, with all their ratings.

    It is about these raters. A rater who is drawn twice would agree with himself, which alpha has no place for.

    Args:
        counts: as for `krippendorff_alpha`.

    Returns:
        The ends; (None, None) where no resample has an alpha.
    """
    pairable = counts[counts.sum(axis=1) >= 2].astype(float)
    if not len(pairable):
        return None, None
    per_unit = pairable.sum(axis=1)
    differing = (per_unit**2 - (pairable**2).sum(axis=1)) / (per_unit - 1)
    drawn = numpy_generator("krippendorff", seed).multinomial(
        len(pairable), np.full(len(pairable), 1 / len(pairable)), size=resamples
    )
    per_category = drawn @ pairable
    total = per_category.sum(axis=1)
    expected = total**2 - (per_category**2).sum(axis=1)
    alphas = 1 - (total - 1)[expected > 0] * (drawn @ differing)[expected > 0] / expected[expected > 0]
    return percentile_interval(alphas) if len(alphas) else (None, None)
