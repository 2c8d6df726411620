"""The scan itself: rounds of images of the prompts that are not settled, then fresh images of those found wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from anomend.scanning.rules import Rules, Status, Tally

Requests = Sequence[tuple[str, range]]
"""Prompts, each with its seeds."""
Find = Callable[[Requests], Mapping[tuple[str, int], bool]]
"""Makes images, and says of each (prompt, seed) whether it is anomalous."""


@dataclass(frozen=True, kw_only=True)
class Scanned:
    """What a scan has seen, by prompt."""

    tallies: dict[str, Tally]
    """The images by which it decided."""
    statuses: dict[str, Status]
    fresh: dict[str, Tally]
    """Of the prompts found wrong: images that decided nothing."""
    anomalous: dict[tuple[str, int], bool]
    """Each image of both kinds, by prompt and seed."""
    rounds: int

    @property
    def found(self) -> list[str]:
        """The prompts found wrong, in the order of the suite."""
        return [prompt for prompt, status in self.statuses.items() if status == "wrong"]

    @property
    def explored_images(self) -> int:
        """Images by which it decided."""
        return sum(tally.n for tally in self.tallies.values())

    @property
    def fresh_images(self) -> int:
        """Images by which the rates of what was found are reported."""
        return sum(tally.n for tally in self.fresh.values())


def scan(prompts: Sequence[str], rules: Rules, find: Find, *, first_seed: int, fresh_seeds: range) -> Scanned:
    """Sample prompts in rounds until each is settled or has `rules.most_seeds` images.

    Args:
        prompts: of the suite, each once.
        rules: when a prompt is settled.
        find: makes and judges images.
        first_seed: of each prompt's images by which the scan decides.
        fresh_seeds: of the images of what was found; apart from the others.

    Raises:
        ValueError: the two ranges of seeds meet.
    """
    if set(fresh_seeds) & set(range(first_seed, first_seed + rules.most_seeds)):
        raise ValueError("scan.fresh.first_seed reaches into the seeds by which the scan decides: move one of them")
    tallies = dict.fromkeys(prompts, Tally())
    statuses: dict[str, Status] = dict.fromkeys(prompts, "open")
    anomalous: dict[tuple[str, int], bool] = {}
    rounds = 0
    while still := [
        prompt for prompt in prompts if statuses[prompt] == "open" and tallies[prompt].n < rules.most_seeds
    ]:
        first = first_seed + rounds * rules.seeds_per_round
        seeds = range(first, first + rules.seeds_per_round)
        seen = find([(prompt, seeds) for prompt in still])
        anomalous |= seen
        tallies |= {prompt: tallies[prompt] + _tally(seen, prompt, seeds) for prompt in still}
        statuses = rules.settle(tallies)
        rounds += 1
    found = [prompt for prompt in prompts if statuses[prompt] == "wrong"]
    again = find([(prompt, fresh_seeds) for prompt in found]) if found else {}
    return Scanned(
        tallies=tallies,
        statuses=statuses,
        fresh={prompt: _tally(again, prompt, fresh_seeds) for prompt in found},
        anomalous=anomalous | dict(again),
        rounds=rounds,
    )


def _tally(seen: Mapping[tuple[str, int], bool], prompt: str, seeds: Iterable[int]) -> Tally:
    flags = [bool(seen[prompt, seed]) for seed in seeds]
    return Tally(sum(flags), len(flags))
