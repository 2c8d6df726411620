"""What a scan can find, and how many images a design without rounds would take for the same: exact, no simulation."""

from __future__ import annotations

import math

import numpy as np

from anomend.scanning.rules import Rules, Tally

MOST = 100_000


def chances(rules: Rules, prompts: int, rate: float) -> dict[str, float]:
    """How the scan of a single prompt ends, if it is the only one that is wrong: the hardest case for e-BH.

    The chance of each number of anomalous images is followed from round to round, as far as sampling goes on.

    Args:
        rules: of the scan.
        prompts: of the suite.
        rate: of the prompt, 0 to 1.

    Returns:
        `wrong`, `fine`, `open`: their chances, which sum to 1; `images`: the expected number of images.
    """
    from scipy.stats import binom

    step = binom.pmf(np.arange(rules.seeds_per_round + 1), rules.seeds_per_round, rate)
    alone = math.log(prompts / rules.error)
    ends = {"wrong": 0.0, "fine": 0.0, "open": 0.0, "images": 0.0}
    left = np.array([1.0])
    for n in range(rules.seeds_per_round, rules.most_seeds + 1, rules.seeds_per_round):
        ends["images"] += float(left.sum()) * rules.seeds_per_round
        left = np.convolve(left, step)
        for k in np.flatnonzero(left):
            tally = Tally(int(k), n)
            end = "wrong" if rules.evidence(tally) >= alone else "fine" if rules.is_fine(tally) else ""
            if end:
                ends[end] += float(left[k])
                left[k] = 0.0
    return ends | {"open": float(left.sum())}


def fixed_images(rules: Rules, prompts: int, power: float) -> int:
    """Images of all prompts in a design of one round: as many of each, an exact binomial test of each, by Bonferroni.

    It errs as rarely as the scan, and finds a lone prompt whose rate is `worth` as often.

    Args:
        rules: of the scan: limit, worth and error.
        prompts: of the suite.
        power: chance of finding that prompt, above 0, below 1.
    """
    from scipy.stats import binom

    level = rules.error / prompts
    for n in range(1, MOST):
        # The fewest anomalous images that are too many for a rate of `limit`.
        fewest = int(binom.isf(level, n, rules.limit)) + 1
        if binom.sf(fewest - 1, n, rules.worth) >= power:
            return n * prompts
    raise ValueError(f"no design of up to {MOST:,} images per prompt finds a rate of {rules.worth:g} so often")
