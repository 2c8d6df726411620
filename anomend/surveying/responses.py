"""Responses of the survey: CSV files with one row per choice."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from anomend.project.hand_edited import read_table

COLUMNS = ("participant", "pair", "prompt", "seed", "left_model", "choice", "reaction_ms", "kind")
"""participant: a token; pair: name of the (prompt, seed) pair; left_model: base | tuned, the model shown on the left
(in a catch pair, the undamaged image counts as tuned); choice: left | right | unsure; reaction_ms: milliseconds, empty
if unknown; kind: real | repeat (a real pair shown again, sides swapped) | catch (an obvious pair)."""

FILE_COLUMNS = (*COLUMNS, "survey", "texts", "consent", "date", "trial", "trials")
"""What a file has beside them: survey: the survey's id, 16 digits of images, texts, seed and repeats; texts, consent:
versions of what was asked and of what was agreed to, with their language; date: day of the answer, UTC; trial: its
place from 0 among all `trials` of the participant. Files of earlier versions have none of these."""

ALLOWED = {
    "left_model": ("base", "tuned"),
    "choice": ("left", "right", "unsure"),
    "kind": ("real", "repeat", "catch"),
}


def no_responses() -> pd.DataFrame:
    """A table of responses with no rows."""
    return pd.DataFrame({column: pd.Series(dtype=object) for column in COLUMNS})


def read_responses(files: Iterable[Path]) -> pd.DataFrame:
    """Read and check response files, in the order of their names.

    Args:
        files: CSV files with the columns `FILE_COLUMNS`; none of them gives a table with no rows.

    Returns:
        The columns `FILE_COLUMNS`; those beyond `COLUMNS` are texts, empty where a file does not have them.

    Raises:
        ValueError: a column is missing, or a value is not allowed.
    """
    tables = [no_responses().reindex(columns=list(FILE_COLUMNS))]
    for path in sorted(files):
        # As text first, so that a participant '007' stays '007'.
        lines = [line.values for line in read_table(path, COLUMNS)]
        table = pd.DataFrame(lines, columns=list(FILE_COLUMNS), dtype=str).fillna("")
        try:
            tables.append(check_responses(table).join(table[list(FILE_COLUMNS[len(COLUMNS) :])]))
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
    return pd.concat([table for table in tables if len(table)] or tables[:1], ignore_index=True)


def check_responses(table: pd.DataFrame) -> pd.DataFrame:
    """The table with the columns in order and numbers as numbers.

    Raises:
        ValueError: a column is missing, a value is not allowed, or a participant answered a real pair twice.
    """
    missing = [column for column in COLUMNS if column not in table.columns]
    if missing:
        raise ValueError(f"the responses have no column {missing[0]!r}: they need {', '.join(COLUMNS)}")
    checked = table[list(COLUMNS)].reset_index(drop=True)
    for column, allowed in ALLOWED.items():
        wrong = checked[~checked[column].isin(allowed)]
        if len(wrong):
            value = wrong.iloc[0][column]
            raise ValueError(f"row {wrong.index[0] + 1} has {column} = {value!r}: it is one of {', '.join(allowed)}")
    for column in ("seed", "reaction_ms"):
        numbers = pd.to_numeric(checked[column], errors="coerce")
        unknown = checked[column].isna() | (checked[column] == "") if column == "reaction_ms" else False
        wrong = checked[~((numbers >= 0) | unknown)]
        if len(wrong):
            value = wrong.iloc[0][column]
            raise ValueError(f"row {wrong.index[0] + 1} has {column} = {value!r}: it is a number, 0 or more")
        checked[column] = numbers
    twice = checked[(checked["kind"] == "real") & checked.duplicated(["participant", "pair", "kind"])]
    if len(twice):
        row = twice.iloc[0]
        raise ValueError(f"participant {row['participant']!r} answered the real pair {row['pair']!r} twice: keep one")
    return checked


def with_votes(responses: pd.DataFrame) -> pd.DataFrame:
    """The responses, checked, with `vote` (tuned | base | unsure) and `score` (1, 0, 1/2) in addition to sides.

    Raises:
        ValueError: the responses do not match their schema.
    """
    answers = check_responses(responses)
    other = answers["left_model"].map({"tuned": "base", "base": "tuned"})
    answers["vote"] = (
        answers["left_model"].where(answers["choice"] == "left", other).mask(answers["choice"] == "unsure", "unsure")
    )
    answers["score"] = answers["vote"].map({"tuned": 1.0, "base": 0.0, "unsure": 0.5}).astype(float)
    return answers
