"""Evidence about a rate that may be looked at after every image: e-values, and false discoveries among many of them.

An e-value of a hypothesis is 0 or more and has a mean of at most 1 where the hypothesis is true, at every time at which
sampling may stop. So it exceeds 1/a with a chance of at most a, however often one looks (Ville 1939; Ramdas, Grunwald,
Vovk & Shafer 2023, doi:10.1214/23-STS894). Here it is a likelihood ratio. Of n images k are anomalous; against a rate
p0 a rate p bets

    L(p) = (p / p0)^k ((1 - p) / (1 - p0))^(n - k).

For p > p0 each image multiplies L by a factor whose mean is at most 1 at every true rate up to p0, and 1 at p0 itself.
A mixture of such bets is again an e-value (the method of mixtures: Robbins 1970, doi:10.1214/aoms/1177696786). The
mixture is a beta distribution above p0, which gives the closed form below with I_x the regularised incomplete beta
function and S = 1 - I_p0:

    E = B(a + k, b + n - k) S(a + k, b + n - k) / (B(a, b) S(a, b) p0^k (1 - p0)^(n - k)).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

PRIOR = (1.0, 1.0)
"""All rates above the limit are bet on alike."""


def log_e_above(k: int, n: int, limit: float, prior: tuple[float, float] = PRIOR) -> float:
    """The logarithm of the e-value of "the rate is at most `limit`": large where the rate is above it.

    Args:
        k: anomalous images, 0 to n.
        n: images.
        limit: above 0, below 1.
        prior: a and b of the beta distribution.
    """
    from scipy.special import betaincc, betaln  # Not at the top: see `one_sided`.

    if not 0 <= k <= n or not 0 < limit < 1:
        raise ValueError(f"an e-value needs 0 <= k <= n and 0 < limit < 1, got {k} of {n} and {limit}")
    a, b = prior
    share = float(betaincc(a + k, b + n - k, limit))
    if share == 0:  # All images speak against it: less than the smallest float.
        return -math.inf
    mixture = float(betaln(a + k, b + n - k) - betaln(a, b)) + math.log(share / float(betaincc(a, b, limit)))
    return mixture - k * math.log(limit) - (n - k) * math.log1p(-limit)


def e_discoveries(log_e: Sequence[float], error: float) -> list[int]:
    """Hypotheses that are refused, so that the expected share of true ones among them is at most `error` (e-BH).

    Of m e-values, the k largest are refused, with the largest k at which each of them is m / (k error) or more. It
    holds however the e-values depend on each other, and at any time at which sampling stops. Reference: Wang & Ramdas
    2022, doi:10.1111/rssb.12489.

    Args:
        log_e: logarithms of the e-values.
        error: false discovery rate, above 0, below 1.

    Returns:
        Their places, the largest e-value first.
    """
    order = sorted(range(len(log_e)), key=lambda place: -log_e[place])
    ranks = enumerate(order, start=1)
    enough = [rank for rank, place in ranks if log_e[place] >= math.log(len(order) / (rank * error))]
    return order[: max(enough, default=0)]
