"""Labels of single pictures by models: whether anything is wrong with the body, and what.

They are kept as people's labels are (one CSV per judge, a line per picture), beside the answers as they came. A model's
labels decide nothing: how often it errs on these pictures, only people's labels of the same pictures show.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict

from anomend.judging.answers import write_answers
from anomend.judging.body_question import (
    KINDS,
    SYSTEM,
    BodyVerdict,
    body_schema,
    body_text,
    parse_body,
    texts_version,
)
from anomend.judging.llm_client import LlmClient
from anomend.judging.llm_requests import LlmQuestion, SentImage
from anomend.judging.protocol import choose_pairs
from anomend.pictures.image_sets import load_image
from anomend.project.files import sha256_of, write_whole

CSV_COLUMNS = ("picture", "rater", "answer", "kinds", "places", "milliseconds", "texts", "showing", "gold")
"""The columns of people's labels; a model marks no places, and its time means nothing."""


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
    verdict: BodyVerdict | None
    unparsed: str | None
    raw: str
    details: dict[str, Any]


def choose_pictures(
    base: pd.DataFrame, tuned: pd.DataFrame, *, per_prompt: Mapping[str, int], seed: int
) -> pd.DataFrame:
    """Both pictures of pairs that are drawn at random: of the pairs that are judged, as far as both go.

    Args:
        base, tuned: the image sets: columns group, prompt, seed, path.
        per_prompt: by group, pairs of each prompt at most; 0 or no entry: none of that group.
        seed: seed of the draw.

    Returns:
        Columns picture, drawn_by, group, prompt, seed, path; the base's before the tuned model's.
    """
    rows = []
    for group, count in per_prompt.items():
        sets = [table[table["group"] == group] for table in (base, tuned)]
        if count == 0 or any(each.empty for each in sets):
            continue
        for pair in choose_pairs(*sets, per_prompt=count, seed=seed).to_dict("records"):
            rows += [
                {
                    "picture": sha256_of(Path(pair[f"path_{model}"])),
                    "drawn_by": model,
                    "group": group,
                    "prompt": pair["prompt"],
                    "seed": int(pair["seed"]),
                    "path": pair[f"path_{model}"],
                }
                for model in ("base", "tuned")
            ]
    return pd.DataFrame(rows, columns=["picture", "drawn_by", "group", "prompt", "seed", "path"])


def picture_questions(pictures: pd.DataFrame) -> list[LlmQuestion]:
    """The question about each picture, which nothing but the picture enters.

    Args:
        pictures: as `choose_pictures` returns them.
    """
    schema, text = body_schema(), body_text()
    return [
        LlmQuestion(
            system=SYSTEM,
            text=text,
            schema=schema,
            images=(SentImage.of("Picture", load_image(Path(path)), partial(load_image, Path(path))),),
            repeat=0,
            problem_of=lambda raw: parse_body(raw)[1],
        )
        for path in pictures["path"]
    ]


def keep_labels(
    client: LlmClient, pictures: pd.DataFrame, questions: Sequence[LlmQuestion], folder: Path
) -> list[PictureAnswer]:
    """Write the bought answers, as they came and as labels, and return them.

    Args:
        client: has bought them.
        pictures: as `choose_pictures` returns them.
        questions: as `picture_questions` returns them.
        folder: gets PROVIDER.jsonl and PROVIDER.csv.
    """
    answers = []
    for row, question in zip(pictures.to_dict("records"), questions, strict=True):
        reply = client.reply(question)
        verdict, unparsed = (None, reply.problem) if reply.problem else parse_body(reply.raw)
        about = {key: row[key] for key in ("picture", "drawn_by", "group", "prompt", "seed")}
        answers.append(
            PictureAnswer(
                provider=client.provider.name,
                model=client.settings.purchase.model,
                verdict=verdict,
                unparsed=unparsed,
                raw=reply.raw,
                details=reply.details,
                **about,
            )
        )
    write_answers(folder / f"{client.provider.name}.jsonl", answers)
    write_whole(folder / f"{client.provider.name}.csv", label_rows(answers).to_csv(index=False, lineterminator="\n"))
    return answers


def label_rows(answers: Sequence[PictureAnswer]) -> pd.DataFrame:
    """The answers that could be read, as labels: the columns `CSV_COLUMNS`. A picture that two prompts or seeds share
    has one label."""
    rows: dict[str, dict[str, Any]] = {}
    for answer in answers:
        if answer.verdict is not None:
            named = set(answer.verdict.kinds) if answer.verdict.answer == "wrong" else set()
            rows[answer.picture] = dict.fromkeys(CSV_COLUMNS, "") | {
                "picture": answer.picture,
                "rater": "".join(each if each.isalnum() else "-" for each in f"{answer.provider}-{answer.model}")[:64],
                "answer": answer.verdict.answer,
                "kinds": " ".join(kind for kind in KINDS if kind in named),
                "texts": texts_version(),
                "showing": 0,
            }
    return pd.DataFrame(list(rows.values()), columns=list(CSV_COLUMNS))
