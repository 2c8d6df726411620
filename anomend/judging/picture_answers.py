"""What judges say of single pictures, as it came and as labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict

from anomend.judging.body_question import BodyVerdict, people_read
from anomend.labelling.records import COLUMNS, KINDS


class PictureAnswer(BaseModel):
    """What a judge says of one picture."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    provider: str
    model: str
    picture: str
    """SHA-256 of the picture's file."""
    drawn_by: Literal["base", "tuned"]
    group: str
    """target | held_out."""
    prompt: str
    seed: int
    part: str | None = None
    """The body part in question, shown in a crop; None: the whole picture."""
    verdict: BodyVerdict | None
    unparsed: str | None
    raw: str
    details: dict[str, Any]


def label_rows(answers: Sequence[PictureAnswer]) -> pd.DataFrame:
    """The answers that could be read, in the columns of people's labels. A model marks no places, and its time means
    nothing.

    Where parts were asked about, there is a second rater, `...-parts`: something is wrong if it is in the picture as a
    whole or in one of its parts; else the label is unsure if one of these answers is, and missing if one could not be
    read. A picture that two prompts or seeds share has one label.
    """
    by_picture: dict[str, list[PictureAnswer]] = {}
    for answer in answers:
        by_picture.setdefault(answer.picture, []).append(answer)
    rows = []
    for picture, about in by_picture.items():
        rater = "".join(each if each.isalnum() else "-" for each in f"{about[0].provider}-{about[0].model}")[:56]
        whole = [answer.verdict for answer in about if answer.part is None][:1]
        rows.append(_row(picture, rater, whole))
        if any(answer.part is not None for answer in answers):
            rows.append(_row(picture, f"{rater}-parts", [answer.verdict for answer in about]))
    return pd.DataFrame([row for row in rows if row], columns=list(COLUMNS))


def _row(picture: str, rater: str, verdicts: Sequence[BodyVerdict | None]) -> dict[str, Any] | None:
    wrong = [verdict for verdict in verdicts if verdict is not None and verdict.answer == "wrong"]
    if not wrong and None in verdicts:
        return None
    unsure = any(verdict is not None and verdict.answer == "unsure" for verdict in verdicts)
    named = {kind for verdict in wrong for kind in verdict.kinds}
    return dict.fromkeys(COLUMNS, "") | {
        "picture": picture,
        "rater": rater,
        "answer": "wrong" if wrong else "unsure" if unsure else "nothing",
        "kinds": " ".join(kind for kind in KINDS if kind in named),
        "texts": people_read().version,
        "showing": 0,
    }
