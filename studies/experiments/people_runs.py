"""Runs in which raters who err label pictures whose classes are known, for the studies about people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anomend.people.estimates import KIND_PICTURES, estimate
from anomend.people.labelled_pairs import LabelledPairs, labelled_pairs_of, of_prompt
from anomend.statistics.corrected_labels import CorrectedLabels, correct_labels
from anomend.statistics.dawid_skene import NOTHING, WRONG, fit_raters
from anomend.verdict.evidence import LABELS, Change
from studies.experiments.truths import Design

KINDS = ("old kind", "new kind")
Worth = tuple[float, float]
"""Sensitivity and specificity of a detector."""
Ints = NDArray[np.int_]


@dataclass(frozen=True)
class Labelling:
    """Who labels how much, and which detector helps."""

    name: str
    errors: tuple[float, ...]
    """Chance of a wrong answer, by rater."""
    per_picture: int
    share: float = 1.0
    """Of the pairs of each prompt that people label."""
    base: Worth | None = None
    tuned: Worth | None = None
    gold: int = 0
    """Pictures of known class that every rater sees, half of them wrong."""


CREW = (0.05, 0.1, 0.2)


def simulated_run(
    rng: np.random.Generator,
    of_target: Sequence[tuple[float, ...]],
    of_held_out: Sequence[tuple[float, ...]],
    *,
    design: Design,
    labelling: Labelling,
    new_kind: float,
) -> tuple[Change, Change, Ints]:
    """What people say of both groups of prompts, and which of the tuned target pictures they label are wrong."""
    wrong, prompts, cells, labelled = [], [], [], []
    for group, shares, seeds in ((0, of_target, design.target_seeds), (1, of_held_out, design.held_out_seeds)):
        for number, share in enumerate(shares):
            drawn = rng.choice(4, size=seeds, p=np.array(share) / sum(share))
            wrong.append(np.stack([drawn <= 1, (drawn == 0) | (drawn == 2)], axis=1).astype(int))
            prompts += [f"prompt {number}"] * seeds
            cells += [group] * seeds
            labelled.append(np.arange(seeds) < round(labelling.share * seeds))
    truth, groups, seen = np.concatenate(wrong), np.array(cells), np.concatenate(labelled)
    n = len(truth)
    flat = truth.T.reshape(-1)
    answers, marks = rated(rng, flat, np.repeat([0, 1], n), np.tile(seen, 2), labelling=labelling, new_kind=new_kind)
    all_cells = np.concatenate([2 * groups, 2 * groups + 1])
    errors = fit_raters(answers, all_cells)
    machine = predicted(rng, truth, labelling)
    names = np.array(prompts, dtype=object)
    labels = correct_labels(answers, all_cells, errors)
    by_kind = {}
    for number, kind in enumerate(KINDS if new_kind else ()):
        of_kind = np.where(answers < 0, -1, np.where(marks == number, WRONG, NOTHING))
        fit = fit_raters(of_kind, all_cells, prior=errors.answers, prior_pictures=KIND_PICTURES)
        by_kind[kind] = correct_labels(of_kind, all_cells, fit)
    changes = []
    for chosen in (0, 1):
        rows = np.flatnonzero(groups == chosen)
        pairs = _pairs(labels, rows, n, names, machine)
        kinds = {kind: _pairs(each, rows, n, names, None) for kind, each in by_kind.items()} if chosen == 0 else {}
        changes.append(change_of(pairs, kinds))
    return changes[0], changes[1], truth[(groups == 0) & seen, 1]


def rated(
    rng: np.random.Generator,
    wrong: Ints,
    model: Ints,
    seen: NDArray[np.bool_],
    *,
    labelling: Labelling,
    new_kind: float,
) -> tuple[Ints, Ints]:
    """Answers (n, R), and the kind that each names, -1 for none."""
    size = (len(wrong), len(labelling.errors))
    says = wrong[:, None] != (rng.random(size) < np.array(labelling.errors))
    kind = np.where((model == 1) & (rng.random(len(wrong)) < new_kind), 1, 0)
    knows = (wrong[:, None] == 1) & (rng.random(size) < 0.9)
    named = np.where(knows, kind[:, None], rng.integers(len(KINDS) + 2, size=size))
    order = np.argsort(rng.random(size), axis=1)
    asked = (order < labelling.per_picture) & seen[:, None]
    return np.where(asked, np.where(says, WRONG, NOTHING), -1), np.where(asked & says, named, -1)


def predicted(rng: np.random.Generator, wrong: Ints, labelling: Labelling) -> NDArray[np.float64] | None:
    """What the detector finds, (n, 2); None without one."""
    if labelling.base is None or labelling.tuned is None:
        return None
    worth = np.array([labelling.base, labelling.tuned])
    chance = np.where(wrong == 1, worth[:, 0], 1 - worth[:, 1])
    return (rng.random(wrong.shape) < chance).astype(float)


def change_of(pairs: LabelledPairs, kinds: dict[str, LabelledPairs]) -> Change:
    """The estimates in the form that the clauses read, as `anomend.verdict.people` reads them from a file."""
    whole = estimate(pairs)
    by_prompt = {str(name): estimate(of_prompt(pairs, name)) for name in dict.fromkeys(pairs.prompts)}
    by_kind = {kind: estimate(each) for kind, each in kinds.items()}
    if whole is None:
        return Change(unit=LABELS)
    return Change(
        base=whole.pairs.base,
        tuned=whole.pairs.tuned,
        pairs=whole.pairs,
        prompts={name: found.pairs for name, found in by_prompt.items() if found},
        kinds={kind: found.pairs for kind, found in by_kind.items() if found},
        unit=LABELS,
    )


def _pairs(
    labels: CorrectedLabels, rows: Ints, n: int, prompts: NDArray[np.object_], machine: NDArray[np.float64] | None
) -> LabelledPairs:
    seen = None if machine is None else machine[rows]
    return labelled_pairs_of(labels, rows, n + rows, prompts=prompts[rows], machine=seen)
