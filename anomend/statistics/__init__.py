"""Rates, intervals, tests and comparisons of two sets of images.

There are two designs. The pipeline's own images are paired: the base and the tuned model draw the same prompt from the
same seed (`paired_effect`, `compare_within_set`). The paper's published images are not (`permutation_test`,
`within_set_permutation_test`, `unpaired_interval`, `within_set_interval`). Every random draw comes from
`anomend.project.seeding`, so a result is a pure function of its data and its seed.
"""

from anomend.statistics.crossed import crossed_interval
from anomend.statistics.effect import Better, Effect, insufficient
from anomend.statistics.exact_tests import holm, mcnemar_mid_p, mcnemar_test, sign_test
from anomend.statistics.paired import paired_effect
from anomend.statistics.proportions import newcombe_interval, wilson_interval
from anomend.statistics.rate import Rate
from anomend.statistics.rater_agreement import cohen_kappa, fleiss_kappa, krippendorff_alpha, krippendorff_interval
from anomend.statistics.resampling import sign_flip_test, stretched_interval
from anomend.statistics.unpaired import PermutationResult, permutation_test, within_set_permutation_test
from anomend.statistics.unpaired_intervals import unpaired_interval, within_set_interval
from anomend.statistics.within_set import compare_within_set, mean_within_sets, within_set_mean

__all__ = [
    "Better",
    "Effect",
    "PermutationResult",
    "Rate",
    "cohen_kappa",
    "compare_within_set",
    "crossed_interval",
    "fleiss_kappa",
    "holm",
    "insufficient",
    "krippendorff_alpha",
    "krippendorff_interval",
    "mcnemar_mid_p",
    "mcnemar_test",
    "mean_within_sets",
    "newcombe_interval",
    "paired_effect",
    "permutation_test",
    "sign_flip_test",
    "sign_test",
    "stretched_interval",
    "unpaired_interval",
    "wilson_interval",
    "within_set_interval",
    "within_set_mean",
    "within_set_permutation_test",
]
