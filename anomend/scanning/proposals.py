"""What to correct first, and the held-out prompts that go with it.

Prompts found wrong that share a level of the first factor (pose) are corrected together, since what the model lacks is
likely the same. The group whose anomaly rates add up to most comes first. Held-out prompts are taken in turn from three
kinds, so that each kind of damage would show:

- siblings: the same pose at another place;
- neighbours in place: another pose at the same place;
- unrelated: another pose at another place.

Prompts found wrong are not held out: where most images are anomalous already, no damage can be seen.

Up to half of the siblings are neither held out nor shown in training: on them the run tells whether the correction
carries over.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from anomend.params.prompts import content
from anomend.scanning.results import ReportedRate
from anomend.scanning.rounds import Scanned
from anomend.scanning.suites import Suite, SuitePrompt

KINDS = ("sibling", "same_place", "unrelated")


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """A run to do next."""

    target: tuple[str, ...]
    held_out: Mapping[str, str]
    """Prompt -> its kind."""
    siblings: tuple[str, ...]
    """Siblings that nothing else of the run uses."""
    later: tuple[str, ...]
    """Prompts found wrong that other runs should correct, the worst first."""
    class_prompts: tuple[str, ...]
    """The profile's class prompts without those of content that was found wrong, which give few right images."""


def propose(
    suite: Suite,
    seen: Scanned,
    rates: Mapping[str, ReportedRate],
    *,
    held_out: int,
    siblings: int,
    class_prompts: Sequence[str],
) -> Proposal | None:
    """Choose target and held-out prompts; None where nothing was found wrong, or nothing is left to hold out.

    Args:
        suite: what was scanned.
        seen: the scan.
        rates: as `reported_rates` gives them.
        held_out: the most held-out prompts.
        siblings: the most siblings that are kept unseen.
        class_prompts: what training samples for prior preservation; at most half of the held-out prompts may be of the
            same content.
    """
    wrong = [prompt for prompt in suite.prompts if seen.statuses[prompt.prompt] == "wrong"]
    if not wrong:
        return None
    pose = next(iter(suite.factors))
    groups: dict[str, list[SuitePrompt]] = {}
    for prompt in wrong:
        groups.setdefault(prompt.levels[pose], []).append(prompt)
    target = max(groups.values(), key=lambda group: sum(rates[prompt.prompt].value or 0.0 for prompt in group))
    targets = {prompt.prompt for prompt in target}
    bad = {content(prompt.prompt) for prompt in wrong}
    classes = tuple(text for text in class_prompts if content(text) not in bad)
    left = [prompt for prompt in suite.prompts if prompt not in wrong and prompt.prompt not in classes]
    left.sort(key=lambda prompt: seen.statuses[prompt.prompt] != "fine")
    unseen = _unseen(left, target, most=siblings, classes=classes)
    chosen = _matched([prompt for prompt in left if prompt not in unseen], target, most=held_out, classes=classes)
    if not chosen:
        return None
    rest = [prompt.prompt for prompt in wrong if prompt.prompt not in targets]
    return Proposal(
        target=tuple(prompt.prompt for prompt in target),
        held_out=chosen,
        siblings=tuple(prompt.prompt for prompt in unseen),
        later=tuple(sorted(rest, key=lambda prompt: -(rates[prompt].value or 0.0))),
        class_prompts=classes,
    )


def kind_of(prompt: SuitePrompt, target: Sequence[SuitePrompt]) -> str:
    """How a prompt is related to the target prompts, by the suite's first two factors."""
    pose, place = list(prompt.levels)[:2]
    if prompt.levels[pose] in {one.levels[pose] for one in target}:
        return "sibling"
    return "same_place" if prompt.levels[place] in {one.levels[place] for one in target} else "unrelated"


def _unseen(
    left: Sequence[SuitePrompt], target: Sequence[SuitePrompt], *, most: int, classes: Sequence[str]
) -> list[SuitePrompt]:
    """Siblings to keep unseen: at most half of them, so that others are held out, and none that class images show."""
    shown = {content(text) for text in classes}
    siblings = [prompt for prompt in left if kind_of(prompt, target) == "sibling"]
    unseen = [prompt for prompt in siblings if content(prompt.prompt) not in shown]
    return unseen[: min(most, len(siblings) // 2)]


def _matched(
    left: Sequence[SuitePrompt], target: Sequence[SuitePrompt], *, most: int, classes: Sequence[str]
) -> dict[str, str]:
    """Held-out prompts, the kinds in turn, of each kind in the order of `left`."""
    shown = {content(text) for text in classes}
    chosen: dict[str, str] = {}
    preserved: list[str] = []
    for prompt in _in_turn({kind: [one for one in left if kind_of(one, target) == kind] for kind in KINDS}):
        seen_in_training = content(prompt.prompt) in shown
        if len(chosen) < most and not (seen_in_training and len(preserved) >= most // 2):
            chosen[prompt.prompt] = kind_of(prompt, target)
            preserved += [prompt.prompt] if seen_in_training else []
    # Where too few others are left.
    while 2 * len(preserved) > len(chosen):
        del chosen[preserved.pop()]
    return chosen


def _in_turn(kinds: Mapping[str, Sequence[SuitePrompt]]) -> Iterator[SuitePrompt]:
    for place in range(max(map(len, kinds.values()), default=0)):
        for prompts in kinds.values():
            if place < len(prompts):
                yield prompts[place]
