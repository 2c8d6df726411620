"""When a prompt is settled: shown to be wrong, shown to be fine, or sampled to the end.

*Wrong*: the rate is shown to be above `limit`, by the e-value of "at most `limit`" and e-BH over all prompts. So of the
prompts that are called wrong, the expected share whose rate is `limit` or less is at most `error`, at whatever round
sampling stops. Who is called wrong stays so: a settled prompt's e-value does not change any more, and e-BH needs no
more of it when others join.

*Fine*: the rate is shown to be below `worth`: its confidence sequence, at 1 - `error`, ends below. So a prompt whose
rate is `worth` or more is called fine with a chance of at most `error`. It does not say that the rate is below `limit`:
between the two a prompt may be called either.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from anomend.params.scan import ScanParams
from anomend.statistics.confidence_sequences import log_e_other
from anomend.statistics.e_values import e_discoveries, log_e_above
from anomend.statistics.weighted_e_values import log_e_mean

Status = Literal["wrong", "fine", "open"]


@dataclass(frozen=True)
class Tally:
    """Images of one prompt."""

    k: int = 0
    """Anomalous ones."""
    n: int = 0
    """All that were judged."""
    unclear: int = 0
    """Those on which people differ or are unsure: right where a prompt is to be shown wrong, wrong where it is to be
    shown fine."""
    unseen: int = 0
    """Images that people were not to see (`scanning.chosen`)."""
    weighted: tuple[tuple[float, bool | None], ...] = ()
    """Where there are such images: the weight of each label, and whether the image is wrong; None: unclear."""

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.k + other.k,
            self.n + other.n,
            self.unclear + other.unclear,
            self.unseen + other.unseen,
            self.weighted + other.weighted,
        )

    @property
    def images(self) -> int:
        """All that were made."""
        return self.n + self.unseen

    @property
    def rate(self) -> float | None:
        """The anomaly rate, unclear images as half an anomaly; None without an image."""
        if not self.n:
            return None
        if not self.weighted:
            return (self.k + self.unclear / 2) / self.n
        return min(1.0, (sum(self.of(True)) + sum(self.of(None)) / 2) / self.n)

    def of(self, kind: bool | None) -> list[float]:
        """Values whose mean is the share of a kind of images: the weight, or 0 for an image of another kind."""
        return [weight if wrong is kind else 0.0 for weight, wrong in self.weighted]

    @property
    def most(self) -> int:
        """Anomalous ones, if all unclear ones are."""
        return self.k + self.unclear


@dataclass(frozen=True, kw_only=True)
class Rules:
    """When a prompt is settled, and in which steps it is sampled."""

    limit: float = 0.2
    worth: float = 0.4
    error: float = 0.05
    seeds_per_round: int = 8
    most_seeds: int = 128
    images_per_label: int = 1
    """Images of which people see one, where a detector sees the others."""

    @classmethod
    def of(cls, params: ScanParams) -> Rules:
        """The rules that the parameters set."""
        return cls(
            limit=params.limit,
            worth=params.worth,
            error=params.error,
            seeds_per_round=params.seeds_per_round,
            most_seeds=params.most_seeds,
            images_per_label=params.images_per_label if params.evidence == "people+machine" else 1,
        )

    @property
    def of_labels(self) -> Rules:
        """The rules of people alone with as many labels."""
        each = self.images_per_label
        counts = {"seeds_per_round": self.seeds_per_round // each, "most_seeds": self.most_seeds // each}
        return replace(self, **counts, images_per_label=1)

    def evidence(self, tally: Tally) -> float:
        """The logarithm of the e-value that the rate is above `limit`."""
        if tally.weighted:
            return log_e_mean(tally.of(True), self.limit)
        return log_e_above(tally.k, tally.n, self.limit)

    def is_fine(self, tally: Tally) -> bool:
        """Whether the rate is shown to be below `worth`: the upper end of `sequence_interval` is."""
        if tally.weighted:
            # Half of the error, as in the interval.
            return log_e_mean(tally.of(False), 1 - self.worth) >= -math.log(self.error / 2)
        below = tally.n > 0 and tally.most / tally.n < self.worth
        return below and log_e_other(tally.most, tally.n, self.worth) >= -math.log(self.error)

    def settle(self, tallies: Mapping[str, Tally]) -> dict[str, Status]:
        """The status of each prompt, by its images so far.

        Args:
            tallies: of all prompts of the suite, so that all count as tested.
        """
        names = list(tallies)
        wrong = {names[place] for place in e_discoveries([self.evidence(tallies[name]) for name in names], self.error)}
        return {
            name: "wrong" if name in wrong else "fine" if self.is_fine(tally) else "open"
            for name, tally in tallies.items()
        }
