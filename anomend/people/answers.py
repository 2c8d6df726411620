"""Labels as arrays: one row per picture, one column per rater."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from anomend.statistics.dawid_skene import NOTHING, UNSURE, WRONG

Ints = NDArray[np.int_]
CODES = {"nothing": NOTHING, "unsure": UNSURE, "wrong": WRONG}
KEYS = ["group", "prompt", "seed", "model"]


@dataclass(frozen=True, kw_only=True)
class Answers:
    """First answers of R raters to n pictures: those of the design, then the gold pictures."""

    pictures: pd.DataFrame
    """picture (SHA-256), model, group, prompt, seed; one row per picture of the design. Gold pictures have no row."""
    raters: list[str]
    codes: Ints
    """(n, R): NOTHING, UNSURE or WRONG; -1 where the rater did not see the picture."""
    cells: Ints
    """(n,): number of the picture's model and group, which differ in their share of wrong pictures."""
    known: Ints
    """(n,): class of a gold picture, 0 right, 1 wrong; else -1."""

    @property
    def of_design(self) -> Ints:
        """(pictures, R): answers to the pictures of the design."""
        return self.codes[: len(self.pictures)]


def first_answers(labels: pd.DataFrame) -> pd.DataFrame:
    """Labels of the first showing; the repeat only tells how steady a rater is."""
    return labels[labels["showing"] == 0]


def read_answers(
    labels: pd.DataFrame, design: pd.DataFrame, code: Callable[[pd.DataFrame], pd.Series] | None = None
) -> Answers:
    """The labels that are about the pictures of the design, and those of gold pictures.

    Args:
        labels: columns picture, rater, answer, kinds, showing, gold, as `read_labels` returns them.
        design: the samples: picture (empty where nobody was asked), model, group, prompt, seed.
        code: by label, NOTHING, UNSURE or WRONG; None: its answer. A gold picture's class is that of its answer, so
            gold pictures are left out for any other code.

    Raises:
        ValueError: a picture is in the design twice.
    """
    pictures = design.sort_values(KEYS, ignore_index=True)
    twice = pictures[pictures.duplicated(KEYS)]
    if not twice.empty:
        first_twice = twice.iloc[0]
        raise ValueError(
            f"data/label_design.csv has {first_twice['prompt']!r} with seed {first_twice['seed']} twice: run stage"
            " `label` again"
        )
    first = first_answers(labels)
    first = first.assign(code=first["answer"].map(CODES) if code is None else code(first))
    gold = first[first["gold"] != ""] if code is None else first.iloc[:0]
    known = gold.groupby("picture")["gold"].first()
    named = pd.concat([pictures["picture"], pd.Series(known.index, dtype=object)], ignore_index=True)
    asked = first[first["picture"].isin(set(pictures["picture"]) - {""}) & (first["gold"] == "")]
    asked = pd.concat([asked, gold])
    raters = sorted(asked["rater"].unique())
    table = asked.pivot_table(index="picture", columns="rater", values="code", aggfunc="first", observed=True)
    table = table.reindex(index=list(named), columns=raters)
    cells = pd.factorize(pictures["model"].astype(str) + " " + pictures["group"].astype(str), sort=True)[0]
    return Answers(
        pictures=pictures,
        raters=raters,
        codes=table.fillna(-1).to_numpy(dtype=int),
        cells=np.concatenate([cells, np.zeros(len(known), dtype=int)]),
        known=np.concatenate([np.full(len(pictures), -1), (known == "wrong").to_numpy(dtype=int)]),
    )


def kind_code(kind: str) -> Callable[[pd.DataFrame], pd.Series]:
    """A label as an answer to the question whether the picture has this kind of anomaly."""

    def code(labels: pd.DataFrame) -> pd.Series:
        marked = labels["kinds"].map(lambda kinds: kind in str(kinds).split())
        unsure = (labels["answer"] == "unsure").map({True: UNSURE, False: NOTHING})
        return unsure.where(~marked, WRONG).astype(int)

    return code


def sampled_pictures(images: Mapping[str, pd.DataFrame], design: pd.DataFrame) -> tuple[pd.DataFrame, pd.Series | None]:
    """All samples of both models, with their SHA-256 where people were asked, and what the detector finds in them.

    Args:
        images: by model, one row per sample with group, prompt, seed, anomalous (NaN: no detector ran).
        design: the pictures that people are asked about: picture, model, group, prompt, seed.

    Returns:
        picture (empty where nobody was asked), model, group, prompt, seed; and by (group, prompt, seed, model) whether
        the detector finds an anomaly; None where no detector ran.

    Raises:
        ValueError: a picture of the design is not among the samples.
    """
    samples = pd.concat([table.assign(model=model) for model, table in images.items()], ignore_index=True)
    joined = samples.merge(design[["picture", *KEYS]], on=KEYS, how="outer", indicator=True, validate="one_to_one")
    if len(alone := joined[joined["_merge"] == "right_only"]):
        first = alone.iloc[0]
        raise ValueError(
            f"data/label_design.csv has {first['prompt']!r} with seed {first['seed']}, which is not among the samples:"
            " run stage `label` again"
        )
    pictures = joined[["picture", "model", "group", "prompt", "seed"]].fillna({"picture": ""})
    machine = None if joined["anomalous"].isna().any() else joined.set_index(KEYS)["anomalous"].astype(float)
    return pictures, machine
