"""A rate: the share of trials with one outcome, with its interval."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from anomend.statistics.proportions import wilson_interval


@dataclass(frozen=True, kw_only=True)
class Rate:
    """k of n trials, with Wilson's score interval.

    The interval takes the trials as independent. For images of one prompt that is right; over several prompts it is
    too narrow.
    """

    value: float
    """k / n, from 0 to 1."""
    k: int
    """Trials with the outcome, such as anomalous images."""
    n: int
    """All trials, 1 or more."""
    ci_low: float
    ci_high: float
    """Ends of the 95% interval, from 0 to 1."""

    @classmethod
    def of(cls, k: int, n: int) -> Rate:
        """The rate of k in n trials.

        Raises:
            ValueError: no trials, or k outside 0 to n.
        """
        low, high = wilson_interval(k, n)
        return cls(value=k / n, k=k, n=n, ci_low=low, ci_high=high)

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Rate:
        """A rate as `as_dict` wrote it; other keys are ignored.

        Raises:
            KeyError: a key is missing.
        """
        return cls(**{name: stored[name] for name in ("value", "k", "n", "ci_low", "ci_high")})

    def as_dict(self) -> dict[str, Any]:
        """The rate as an object of a metric file."""
        return asdict(self)
