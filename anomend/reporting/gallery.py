"""Pairs of images for looking at: what happened to each, which ones the page holds, and the list for its script."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, zip_longest
from typing import Any, Literal

import pandas as pd

from anomend.reporting.pairs import ImagePair, all_pairs

Outcome = Literal["broken", "still", "fixed", "right", "unknown"]
OUTCOMES: dict[Outcome, str] = {
    "broken": "Newly broken",
    "still": "Still wrong",
    "fixed": "Fixed",
    "right": "Right before and after",
    "unknown": "Not assessed",
}
"""What happened to a pair, in the order in which examples are shown."""
EXAMPLES: dict[Outcome, int] = {"broken": 6, "still": 3}
"""Pairs per group of prompts that are shown as examples: what got worse comes first. What was fixed is among the first
seeds."""


def outcome_of(pair: ImagePair) -> Outcome:
    """What happened from the base to the tuned image, by what the detector found."""
    base, tuned = pair.base.anomalies, pair.tuned.anomalies
    if base is None or tuned is None:
        return "unknown"
    if base:
        return "still" if tuned else "fixed"
    return "broken" if tuned else "right"


@dataclass(frozen=True)
class Examples:
    """The pairs of one outcome in one group of prompts."""

    group: str
    outcome: Outcome
    heading: str
    count: int
    pairs: tuple[ImagePair, ...]
    """Some of them, as `spread` picks them."""


@dataclass(frozen=True)
class Gallery:
    """Everything that there is to look at."""

    every: tuple[ImagePair, ...]
    """All pairs, the target prompts first, then by prompt and seed."""
    first: tuple[ImagePair, ...]
    """The first seeds of the target prompts, whatever their result."""
    examples: tuple[Examples, ...]
    disagreements: Mapping[ImagePair, str]
    """Pairs on which raters differ most, and each rater's choice in words."""

    @property
    def embedded(self) -> list[ImagePair]:
        """The pairs whose pictures the page itself holds, each once, the most important first."""
        shown = [*self.first, *(pair for each in self.examples for pair in each.pairs), *self.disagreements]
        return list(dict.fromkeys(shown))

    def counts(self, group: str) -> dict[Outcome, int]:
        """How many pairs of a group have which outcome; outcomes that none has are left out."""
        outcomes = [outcome_of(pair) for pair in self.every if pair.group == group]
        return {outcome: outcomes.count(outcome) for outcome in OUTCOMES if outcome in outcomes}


def gallery(table: pd.DataFrame, first: Sequence[ImagePair], disagreements: Mapping[ImagePair, str]) -> Gallery:
    """Sort a run's pairs.

    Args:
        table: as `pairs.join_pairs` returns it.
        first: the pairs that are shown whatever their result; those of target prompts are kept.
        disagreements: pairs on which raters differ, and how.
    """
    every = all_pairs(table)
    examples = []
    for group in dict.fromkeys(pair.group for pair in every):
        of_group = [pair for pair in every if pair.group == group]
        for outcome, most in EXAMPLES.items():
            matching = [pair for pair in of_group if outcome_of(pair) == outcome]
            if matching and (outcome == "broken" or group == "target"):
                heading = f"{OUTCOMES[outcome]}, {group.replace('_', '-')} prompts"
                examples.append(Examples(group, outcome, heading, len(matching), tuple(spread(matching, most))))
    shown = tuple(pair for pair in first if pair.group == "target") or tuple(first)
    return Gallery(tuple(every), shown, tuple(examples), disagreements)


def spread(pairs: Sequence[ImagePair], most: int) -> list[ImagePair]:
    """Pairs from as many prompts as there are, in turn, those with most pairs first; of a prompt the first seeds."""
    by_prompt: dict[str, list[ImagePair]] = {}
    for pair in pairs:
        by_prompt.setdefault(pair.prompt, []).append(pair)
    queues = sorted(by_prompt.values(), key=len, reverse=True)
    turns = (pair for turn in zip_longest(*queues) for pair in turn if pair is not None)
    return list(islice(turns, most))


def changed_rows(pairs: Sequence[ImagePair], most: int = 6) -> dict[str, list[ImagePair]]:
    """What broke and what was fixed, some of each (`spread`), by label and count; empty where nothing changed.

    Args:
        pairs: as `pairs.all_pairs` returns them.
        most: pairs per row.
    """
    rows: dict[str, list[ImagePair]] = {}
    for outcome in ("broken", "fixed"):
        for group in dict.fromkeys(pair.group for pair in pairs):
            matching = [pair for pair in pairs if pair.group == group and outcome_of(pair) == outcome]
            if matching and (outcome == "broken" or group == "target"):
                words = f"{OUTCOMES[outcome]}, {group.replace('_', '-')} prompts: {len(matching):,}"
                rows[words + (f", of which {most}" if len(matching) > most else "")] = spread(matching, most)
    return rows


def script_data(
    shown: Gallery, pictures: Mapping[ImagePair, int], folder: str, *, models: tuple[str, str] = ("base", "tuned")
) -> str:
    """The list that the page's script reads, as JSON that can be in a page.

    Args:
        shown: the pairs.
        pictures: the number of each embedded pair, by which the script finds its two pictures in the page.
        folder: address of the folder with full-resolution pictures, as seen from the page.
        models: what the two are called.
    """
    rows: list[dict[str, Any]] = [
        {
            "prompt": pair.prompt,
            "group": pair.group.replace("_", "-"),
            "seed": pair.seed,
            "outcome": outcome_of(pair),
            "findings": [pair.base.finding, pair.tuned.finding],
            "kinds": sorted({*pair.base.kinds, *pair.tuned.kinds}),
            "files": [pair.base.path.name, pair.tuned.path.name],
            "embedded": pictures.get(pair),
            "raters": shown.disagreements.get(pair, ""),
        }
        for pair in shown.every
    ]
    content = {"folder": folder, "models": models, "outcomes": OUTCOMES, "pairs": rows}
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
