"""The one statistics helper: intervals, tests and comparisons of two sets of images.

Two designs are kept apart. Images of one's own samplers are paired: the base and the tuned model draw the same prompt
from the same seed (`paired_effect`, `compare_within_set`, `non_inferiority`). The paper's published images are not
(`permutation_test`, `within_set_permutation_test`, `unpaired_interval`, `within_set_interval`). Every draw comes from
`anomend.project.seeding`, so a figure is a pure function of its data and its seed.
"""

from anomend.statistics.crossed import crossed_interval
from anomend.statistics.effect import Better, Effect, insufficient
from anomend.statistics.exact_tests import holm, mcnemar_mid_p, mcnemar_test, sign_test
from anomend.statistics.non_inferiority import NonInferiority, non_inferiority
from anomend.statistics.paired import paired_effect
from anomend.statistics.planning import (
    Spread,
    difference_spread,
    pairs_for_rates,
    power_to_settle,
    prompts_to_settle,
    seeds_to_settle,
)
from anomend.statistics.proportions import newcombe_interval, wilson_interval
from anomend.statistics.resampling import bootstrap_interval, sign_flip_test, stretched_interval
from anomend.statistics.unpaired import PermutationResult, permutation_test, within_set_permutation_test
from anomend.statistics.unpaired_intervals import unpaired_interval, within_set_interval
from anomend.statistics.within_set import compare_within_set, mean_within_sets, within_set_mean

__all__ = [
    "Better",
    "Effect",
    "NonInferiority",
    "PermutationResult",
    "Spread",
    "bootstrap_interval",
    "compare_within_set",
    "crossed_interval",
    "difference_spread",
    "holm",
    "insufficient",
    "mcnemar_mid_p",
    "mcnemar_test",
    "mean_within_sets",
    "newcombe_interval",
    "non_inferiority",
    "paired_effect",
    "pairs_for_rates",
    "permutation_test",
    "power_to_settle",
    "prompts_to_settle",
    "seeds_to_settle",
    "sign_flip_test",
    "sign_test",
    "stretched_interval",
    "unpaired_interval",
    "wilson_interval",
    "within_set_interval",
    "within_set_mean",
    "within_set_permutation_test",
]
