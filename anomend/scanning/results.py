"""What a scan reports: rates with intervals that hold after stopping and selection."""

from __future__ import annotations

from dataclasses import dataclass

from anomend.scanning.rounds import Scanned
from anomend.scanning.rules import Tally
from anomend.statistics.confidence_sequences import exact_interval, sequence_interval
from anomend.statistics.weighted_e_values import least_mean


@dataclass(frozen=True, kw_only=True)
class ReportedRate:
    """A prompt's anomaly rate."""

    value: float | None
    """None where people have labelled no image of it yet."""
    k: int
    n: int
    ci_low: float
    ci_high: float
    fresh: bool
    """By images that decided nothing; else by those by which the scan decided."""


def reported_rates(seen: Scanned, level: float) -> dict[str, ReportedRate]:
    """The rate of each prompt.

    A prompt found wrong is reported by its fresh images alone, whose number was fixed before: Clopper and Pearson's
    interval, at 1 - (1 - level) / R for the R prompts found, so that all R cover together with a chance of `level`
    (Bonferroni). Selection does not matter, since these images took no part in it. Each other prompt has the interval
    of a confidence sequence, which holds with a chance of `level` whenever its sampling stopped.

    Where people have yet to label the fresh images of a prompt found wrong, it has its confidence sequence at
    1 - (1 - level) / m for the m prompts of the scan. These hold together, so that selection does not matter either.
    Images on which people differ count as right for the lower end, as wrong for the upper one, and half for the rate.

    Args:
        seen: the scan.
        level: such as 0.95.
    """
    rates = {}
    for prompt, tally in seen.tallies.items():
        if tally.weighted and prompt not in seen.fresh:
            rates[prompt] = _weighted(tally, 1 - (1 - level) / (len(seen.tallies) if prompt in seen.found else 1))
            continue
        fresh = seen.fresh.get(prompt)
        if fresh:
            confidence, interval = 1 - (1 - level) / len(seen.found), exact_interval
        else:
            among = len(seen.tallies) if prompt in seen.found else 1
            confidence, interval = 1 - (1 - level) / among, sequence_interval
        shown = fresh or tally
        rates[prompt] = ReportedRate(
            value=shown.rate,
            k=shown.k,
            n=shown.n,
            ci_low=interval(shown.k, shown.n, confidence)[0],
            ci_high=interval(shown.most, shown.n, confidence)[1],
            fresh=bool(fresh),
        )
    return rates


def _weighted(tally: Tally, confidence: float) -> ReportedRate:
    """By the labels of images that people saw in part; either end misses the truth in half of 1 - `confidence`."""
    error = (1 - confidence) / 2
    return ReportedRate(
        value=tally.rate,
        k=tally.k,
        n=tally.n,
        ci_low=least_mean(tally.of(True), error),
        ci_high=1 - least_mean(tally.of(False), error),
        fresh=False,
    )


def ranked(seen: Scanned, rates: dict[str, ReportedRate]) -> list[str]:
    """The prompts by their rate: those found wrong first, then the unsettled ones, then the fine ones."""
    order = {"wrong": 0, "open": 1, "fine": 2}
    return sorted(rates, key=lambda prompt: (order[seen.statuses[prompt]], -(rates[prompt].value or 0.0)))
