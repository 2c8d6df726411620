"""How many labels of people a verdict takes, and how long they take a person, before anybody has labelled anything."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

from anomend.params.params import Params
from anomend.statistics.noisy_pairs import restricted_share
from anomend.verdict.advice import POWER

DEFAULT_MS = 6_000
"""Milliseconds per label, where no earlier labels tell."""
NOISE = 1.3
"""Pairs per pair of perfect labels, for raters who err in 10%; in the study it is 1.1 to 1.4 for three raters."""
TUNED_SHARE = 0.5
"""Assumed rate of the tuned model, as a share of the largest that is allowed."""
NEW_KIND = 0.25
"""Assumed share of the tuned model's wrong pictures that are of one kind which the base model does not draw."""
HELD_OUT_CHANGED = 0.04
"""Assumed share of held-out pairs in which only one picture is wrong; as many of either model."""


@dataclass(frozen=True)
class PairsPerPrompt:
    """Pairs of which both pictures are labelled."""

    target: int
    held_out: int
    """Of a held-out prompt, and of a sibling."""

    def labels(self, params: Params) -> int:
        """All labels, with the raters that see each picture."""
        prompts = params.prompts
        others = len(prompts.held_out) + len(prompts.siblings)
        pairs = self.target * len(prompts.target) + self.held_out * others
        return 2 * pairs * params.label.raters_per_picture


def pairs_needed(params: Params) -> PairsPerPrompt:
    """The pairs per prompt with which each clause about anomalies passes in 80% of runs, if the correction is good.

    Good is: the tuned rate is half of what is allowed, and held-out prompts are as before. Normal approximation of the
    power of a one-sided test of a rate, and of a paired difference.
    """
    verdict, prompts = params.verdict, params.prompts
    error = 1 - verdict.level
    worst = verdict.max_target_rate + verdict.worst_target_margin
    rate = TUNED_SHARE * verdict.max_target_rate
    target = max(
        _rate_pairs(rate, verdict.max_target_rate, error) / len(prompts.target), _rate_pairs(rate, worst, error)
    )
    # A quarter of what is left may be of one kind that the base model does not draw.
    target = max(target, _rise_pairs(rate, verdict.max_kind_rise, error, rise=NEW_KIND * rate) / len(prompts.target))
    held_out = 0.0
    if prompts.held_out:
        held_out = max(
            _rise_pairs(HELD_OUT_CHANGED, verdict.held_out_margin, error / 2) / len(prompts.held_out),
            _rise_pairs(HELD_OUT_CHANGED, verdict.worst_held_out_rise, error),
        )
    return PairsPerPrompt(target=math.ceil(NOISE * target), held_out=math.ceil(NOISE * held_out))


def label_plan(params: Params, median_ms: float | None) -> list[str]:
    """What people have to do for the verdict, as lines of text; empty where they decide nothing.

    Args:
        params: the parameters in force.
        median_ms: milliseconds of a label so far; None: nobody has labelled yet.
    """
    if params.verdict.evidence == "detector":
        return []
    label, sample = params.label, params.sample
    designed = PairsPerPrompt(label.pairs_per_prompt, label.held_out_pairs_per_prompt)
    needed = pairs_needed(params)
    source = "the median so far" if median_ms else "an assumption until there are labels"
    pace = f"{(median_ms or DEFAULT_MS) / 1000:.1f} s per label, {source}"
    lines = [
        f"designed: {_words(designed, params, median_ms)}",
        f"a verdict: {_words(needed, params, median_ms)}, if the tuned rate is half of verdict.max_target_rate and "
        f"held-out prompts are as before; each clause then passes in {POWER:.0%} of runs",
        f"at {pace}",
    ]
    if params.verdict.evidence == "people+machine":
        lines.append("fewer where the detector is good: metrics/people.json says how many labels it saved")
    if designed.target < needed.target or designed.held_out < needed.held_out:
        settings = f"label.pairs_per_prompt={needed.target} label.held_out_pairs_per_prompt={needed.held_out}"
        lines.append(f"to label as many: {settings}")
    if needed.target > sample.target_seeds_per_prompt or needed.held_out > sample.held_out_seeds_per_prompt:
        lines.append("that is more than are sampled: set sample.target_seeds_per_prompt, held_out_seeds_per_prompt")
    return lines


def _words(pairs: PairsPerPrompt, params: Params, median_ms: float | None) -> str:
    labels, raters = pairs.labels(params), params.label.raters
    minutes = labels * (median_ms or DEFAULT_MS) / 60_000
    each = f"{minutes / raters:,.0f} minutes for each of {raters} raters" if raters > 1 else "for one rater"
    return (
        f"{pairs.target} pairs per target and {pairs.held_out} per held-out prompt, {labels:,} labels, "
        f"{minutes / 60:.1f} hours in all ({each})"
    )


def _rate_pairs(rate: float, limit: float, error: float) -> float:
    """Pictures that show a rate to be below a limit."""
    normal = NormalDist()
    spread = normal.inv_cdf(1 - error) * math.sqrt(limit * (1 - limit))
    spread += normal.inv_cdf(POWER) * math.sqrt(rate * (1 - rate))
    return (spread / (limit - rate)) ** 2


def _rise_pairs(changed: float, limit: float, error: float, *, rise: float = 0.0) -> float:
    """Pairs that show a rise to be below a limit; `changed`: share of pairs in which one picture is wrong."""
    normal, changed = NormalDist(), max(changed, rise)
    # The test's variance is that of the likeliest shares whose rise is the limit.
    share = restricted_share((changed + rise) / 2, (changed - rise) / 2, limit)
    spread = normal.inv_cdf(1 - error) * math.sqrt(2 * share + limit * (1 - limit))
    spread += normal.inv_cdf(POWER) * math.sqrt(changed - rise**2)
    # The second term is for the test's continuity correction.
    return (spread / (limit - rise)) ** 2 + 1 / (limit - rise)
