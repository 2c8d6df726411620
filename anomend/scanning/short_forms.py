"""A short form of a suite: few of its prompts, in which all pairs of levels occur as evenly as can be."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from anomend.project.seeding import numpy_generator
from anomend.scanning.suites import Suite

MAIN_WEIGHT = 4.0
"""Pairs of the first two factors, which the map shows, against all other pairs."""


def short_form(suite: Suite, count: int, seed: int = 0) -> Suite:
    """Choose prompts one by one, each the one whose pairs of levels have been chosen least often.

    A pair that occurs m times already counts as 1 / (1 + m)^2. Ties are drawn. So the main effects of all factors
    can be told from each other, which a sample at random does less well.

    Args:
        suite: with `count` prompts or more.
        count: how many are chosen.
        seed: of the draws.

    Returns:
        The chosen prompts, in the suite's order.
    """
    if not 1 <= count <= len(suite.prompts):
        raise ValueError(f"a short form has 1 to {len(suite.prompts)} prompts, and not {count}")
    numbers: dict[tuple[tuple[str, str], ...], int] = {}
    pairs = np.array(
        [
            [numbers.setdefault(pair, len(numbers)) for pair in combinations(prompt.levels.items(), 2)]
            for prompt in suite.prompts
        ]
    )
    # The pair of the first two factors is the first one.
    weights = np.array([MAIN_WEIGHT] + [1.0] * (pairs.shape[1] - 1))
    times = np.zeros(len(numbers))
    left = numpy_generator(seed, "short form").permutation(len(suite.prompts))
    chosen = []
    for _ in range(count):
        place = int(np.argmax((weights / (1 + times[pairs[left]]) ** 2).sum(axis=1)))
        chosen.append(int(left[place]))
        times[pairs[chosen[-1]]] += 1
        left = np.delete(left, place)
    return Suite(tuple(suite.prompts[number] for number in sorted(chosen)))
