"""Labels of single pictures by models: whether anything is wrong with the body, and what.

They are kept as people's labels are (one CSV per judge, a line per picture), beside the answers as they came. A model's
labels decide nothing: how often it errs on these pictures, only people's labels of the same pictures show.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import pandas as pd

from anomend.detectors.detector import Detector
from anomend.judging.answers import write_answers
from anomend.judging.body_question import SYSTEM, body_schema, body_text, parse_body
from anomend.judging.llm_client import LlmClient
from anomend.judging.llm_requests import LlmQuestion, SentImage
from anomend.judging.parts import part_boxes
from anomend.judging.picture_answers import PictureAnswer, label_rows
from anomend.judging.protocol import choose_pairs, shown
from anomend.labelling.design import design_table
from anomend.pictures.image_sets import load_image
from anomend.project.files import write_whole

COLUMNS = ("picture", "drawn_by", "group", "prompt", "seed", "path", "part", "crop")
"""picture: SHA-256 of the file; drawn_by: base | tuned; group: target | held_out; part and crop: the body part in
question and where it is, None for the whole picture."""


def choose_pictures(
    base: pd.DataFrame, tuned: pd.DataFrame, *, per_prompt: Mapping[str, int], seed: int
) -> pd.DataFrame:
    """Both pictures of pairs that are drawn at random: of the pairs that are judged, as far as both go.

    Args:
        base, tuned: the image sets: columns group, prompt, seed, path.
        per_prompt: by group, pairs of each prompt at most; 0 or no entry: none of that group.
        seed: seed of the draw.

    Returns:
        The columns `COLUMNS`, each picture as a whole; the base's before the tuned model's.
    """
    tables = [pd.DataFrame(columns=list(COLUMNS))]
    for group, count in per_prompt.items():
        sets = [table[table["group"] == group] for table in (base, tuned)]
        if count and not any(each.empty for each in sets):
            pairs = choose_pairs(*sets, per_prompt=count, seed=seed)
            drawn = design_table(pairs, group=group, showings=1).rename(columns={"model": "drawn_by"})
            tables.append(drawn.assign(path=drawn["path"].map(Path), part=None, crop=None)[list(COLUMNS)])
    return pd.concat([table.astype(object) for table in tables], ignore_index=True)


def with_parts(pictures: pd.DataFrame, detector: Detector) -> pd.DataFrame:
    """The pictures, and after each one the parts of the body that the detector locates in it.

    Args:
        pictures: as `choose_pictures` returns them.
        detector: locates the parts.
    """
    rows = []
    for row in pictures.to_dict("records"):
        boxes = part_boxes(load_image(row["path"]), detector)
        rows += [row, *(row | {"part": part, "crop": box} for part, box in boxes.items())]
    return pd.DataFrame(rows, columns=list(COLUMNS), dtype=object)


def picture_questions(pictures: pd.DataFrame) -> list[LlmQuestion]:
    """The question about each picture, which nothing but the picture enters.

    Args:
        pictures: as `choose_pictures` or `with_parts` returns them.
    """
    schema = body_schema()
    questions = []
    for path, part, crop in zip(pictures["path"], pictures["part"], pictures["crop"], strict=True):
        read = partial(shown, path, crop)
        questions.append(
            LlmQuestion(
                system=SYSTEM,
                text=body_text(part),
                schema=schema,
                images=(SentImage.of("Picture", read(), read),),
                repeat=0,
                problem_of=lambda raw: parse_body(raw)[1],
            )
        )
    return questions


def keep_labels(
    client: LlmClient, pictures: pd.DataFrame, questions: Sequence[LlmQuestion], folder: Path
) -> list[PictureAnswer]:
    """Write the bought answers, as they came and as labels, and return them.

    Args:
        client: has bought them.
        pictures: as `choose_pictures` or `with_parts` returns them.
        questions: as `picture_questions` returns them.
        folder: gets PROVIDER.jsonl and PROVIDER.csv.
    """
    answers = []
    for row, question in zip(pictures.to_dict("records"), questions, strict=True):
        reply = client.reply(question)
        verdict, unparsed = (None, reply.problem) if reply.problem else parse_body(reply.raw)
        about = {key: row[key] for key in ("picture", "drawn_by", "group", "prompt", "seed", "part")}
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
