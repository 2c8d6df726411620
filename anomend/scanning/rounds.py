"""The scan itself: rounds of images of the prompts that are not settled, then fresh images of those found wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from anomend.scanning.rules import Rules, Status, Tally

Requests = Sequence[tuple[str, range]]
"""Prompts, each with its seeds."""
Judged = Mapping[tuple[str, int], bool | None]
"""By prompt and seed, whether an image is anomalous; None where people differ."""
Find = Callable[[Requests], Judged]
"""Makes images, and says of each (prompt, seed) whether it is anomalous. Images that people have yet to label are left
out, and those that they are not to see."""
Weights = Callable[[str, range], Mapping[int, float]]
"""Of the images of a prompt's round: those that are judged, by seed, each with the weight of what is said of it."""


@dataclass(frozen=True, kw_only=True)
class Scanned:
    """What a scan has seen, by prompt."""

    tallies: dict[str, Tally]
    """The images by which it decided."""
    statuses: dict[str, Status]
    fresh: dict[str, Tally]
    """Of the prompts found wrong: images that decided nothing."""
    anomalous: dict[tuple[str, int], bool | None]
    """Each image of both kinds that was judged, by prompt and seed."""
    rounds: int
    waiting: dict[str, Sequence[int]] = field(default_factory=dict)
    """Prompts with images that people have yet to label, and the seeds that people are to see of these images' round.
    """

    @property
    def found(self) -> list[str]:
        """The prompts found wrong, in the order of the suite."""
        return [prompt for prompt, status in self.statuses.items() if status == "wrong"]

    @property
    def explored_images(self) -> int:
        """Images by which it decided."""
        return sum(tally.images for tally in self.tallies.values())

    @property
    def fresh_images(self) -> int:
        """Images by which the rates of what was found are reported."""
        return sum(tally.images for tally in self.fresh.values())


def all_alike(prompt: str, seeds: range) -> Mapping[int, float]:
    """Every image is judged, and counts as one."""
    return dict.fromkeys(seeds, 1.0)


def scan(
    prompts: Sequence[str],
    rules: Rules,
    find: Find,
    *,
    first_seed: int,
    fresh_seeds: range,
    weights: Weights = all_alike,
) -> Scanned:
    """Sample prompts in rounds until each is settled or has `rules.most_seeds` images.

    A round of a prompt counts once all its images are judged: whoever labels the easy ones first must not decide.

    Args:
        prompts: of the suite, each once.
        rules: when a prompt is settled.
        find: makes and judges images.
        first_seed: of each prompt's images by which the scan decides.
        fresh_seeds: of the images of what was found, all of which are judged; apart from the others.
        weights: of a round that `find` has made, which images are judged, and with which weights.

    Raises:
        ValueError: the two ranges of seeds meet.
    """
    if set(fresh_seeds) & set(range(first_seed, first_seed + rules.most_seeds)):
        raise ValueError("scan.fresh.first_seed reaches into the seeds by which the scan decides: move one of them")
    tallies = dict.fromkeys(prompts, Tally())
    statuses: dict[str, Status] = dict.fromkeys(prompts, "open")
    anomalous: dict[tuple[str, int], bool | None] = {}
    waiting: dict[str, Sequence[int]] = {}
    rounds = 0
    while still := [
        prompt
        for prompt in prompts
        if statuses[prompt] == "open" and tallies[prompt].images < rules.most_seeds and prompt not in waiting
    ]:
        first = first_seed + rounds * rules.seeds_per_round
        seeds = range(first, first + rules.seeds_per_round)
        seen = find([(prompt, seeds) for prompt in still])
        anomalous |= seen
        shown = {prompt: weights(prompt, seeds) for prompt in still}
        judged = [prompt for prompt in still if _complete(seen, prompt, shown[prompt])]
        waiting |= {prompt: list(shown[prompt]) for prompt in still if prompt not in judged}
        tallies |= {prompt: tallies[prompt] + _tally(seen, prompt, shown[prompt], len(seeds)) for prompt in judged}
        statuses = rules.settle(tallies)
        rounds += 1
    found = [prompt for prompt in prompts if statuses[prompt] == "wrong"]
    again = find([(prompt, fresh_seeds) for prompt in found]) if found else {}
    fresh = [prompt for prompt in found if _complete(again, prompt, fresh_seeds)]
    # What was found while it waited for labels, since others joined it, needs no more of them.
    waiting = {prompt: seeds for prompt, seeds in waiting.items() if statuses[prompt] == "open"}
    return Scanned(
        tallies=tallies,
        statuses=statuses,
        fresh={prompt: _tally(again, prompt, all_alike(prompt, fresh_seeds), len(fresh_seeds)) for prompt in fresh},
        anomalous=anomalous | dict(again),
        rounds=rounds,
        waiting=waiting | {prompt: fresh_seeds for prompt in found if prompt not in fresh},
    )


def _complete(seen: Judged, prompt: str, seeds: Iterable[int]) -> bool:
    return all((prompt, seed) in seen for seed in seeds)


def _tally(seen: Judged, prompt: str, shown: Mapping[int, float], images: int) -> Tally:
    flags = [seen[prompt, seed] for seed in shown]
    whole = len(shown) == images
    weighted = () if whole else tuple((weight, seen[prompt, seed]) for seed, weight in shown.items())
    return Tally(flags.count(True), len(flags), flags.count(None), images - len(flags), weighted)
