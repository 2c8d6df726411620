"""Both pictures of each prompt and seed, base and tuned, with what labels and the detector say of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from anomend.people.answers import Answers
from anomend.statistics.corrected_labels import CorrectedLabels, correct_labels
from anomend.statistics.dawid_skene import RaterErrors

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class LabelledPairs:
    """Both pictures of each prompt and seed of one group of prompts, with their corrected labels."""

    prompts: NDArray[np.object_]
    """(n,)"""
    base: CorrectedLabels
    tuned: CorrectedLabels
    """Of n pictures each, in the same order."""
    machine: Floats | None = None
    """(n, 2): anomalous by the detector, 0 or 1, in the base and in the tuned picture; None: not used."""

    @property
    def labelled(self) -> NDArray[np.bool_]:
        """(n,): whether both pictures have labels."""
        return ~np.isnan(self.base.values) & ~np.isnan(self.tuned.values)


def labelled_pairs(
    answers: Answers, errors: RaterErrors, group: str, machine: pd.Series | None = None
) -> LabelledPairs | None:
    """The pairs of one group of prompts; None without any.

    Args:
        answers: of all pictures.
        errors: of the same raters.
        group: `target` or `held_out`.
        machine: by (group, prompt, seed, model), whether the detector finds an anomaly.
    """
    pictures = answers.pictures.assign(row=np.arange(len(answers.pictures)))
    pictures = pictures[pictures["group"] == group]
    rows = pictures.pivot_table(index=["prompt", "seed"], columns="model", values="row").dropna()
    if rows.empty or not {"base", "tuned"} <= set(rows.columns):
        return None
    corrected = correct_labels(answers.codes, answers.cells, errors)
    base, tuned = (rows[model].to_numpy(dtype=int) for model in ("base", "tuned"))
    seen = None
    if machine is not None:
        found = [[machine.get((group, *key, model), np.nan) for model in ("base", "tuned")] for key in rows.index]
        seen = np.array(found, dtype=np.float64)
        seen = None if np.isnan(seen).any() else seen
    prompts = rows.index.get_level_values("prompt").to_numpy(dtype=object)
    return labelled_pairs_of(corrected, base, tuned, prompts=prompts, machine=seen)


def labelled_pairs_of(
    corrected: CorrectedLabels,
    base: NDArray[np.int_],
    tuned: NDArray[np.int_],
    *,
    prompts: NDArray[np.object_],
    machine: Floats | None = None,
) -> LabelledPairs:
    """The pairs whose pictures are these rows of the corrected labels."""
    return LabelledPairs(
        prompts=prompts, base=_chosen(corrected, base), tuned=_chosen(corrected, tuned), machine=machine
    )


def of_prompt(pairs: LabelledPairs, name: str) -> LabelledPairs:
    """The pairs of one prompt."""
    rows = np.flatnonzero(pairs.prompts == name)
    machine = None if pairs.machine is None else pairs.machine[rows]
    base, tuned = _chosen(pairs.base, rows), _chosen(pairs.tuned, rows)
    return LabelledPairs(prompts=pairs.prompts[rows], base=base, tuned=tuned, machine=machine)


def _chosen(corrected: CorrectedLabels, rows: NDArray[np.int_]) -> CorrectedLabels:
    return CorrectedLabels(
        values=corrected.values[rows],
        noise=corrected.noise[rows],
        leverage=corrected.leverage[rows],
        covariance=corrected.covariance,
    )
