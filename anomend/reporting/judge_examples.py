"""The first answers of each judge, with the images as the judge saw them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from anomend.judging.answers import read_answers
from anomend.judging.protocol import JudgeAnswer, JudgeQuestion, blind
from anomend.judging.registry import PAID_JUDGES
from anomend.judging.wording import question_text
from anomend.reporting.inputs import JudgeExample

EXAMPLES = 2
"""One pair in both orders."""


def judge_examples(
    judgements: Path,
    judges: Sequence[str],
    *,
    question: str,
    samples_base: pd.DataFrame,
    samples_tuned: pd.DataFrame,
) -> dict[str, list[JudgeExample]]:
    """The first answers of every judge, whatever they say.

    Args:
        judgements: folder of stage `judge`, with a file of answers per judge.
        judges: their names.
        question: which of two images is the more natural, as they were asked.
        samples_base, samples_tuned: the image sets that were judged: prompt, seed, path.

    Raises:
        ValueError: a file of answers is missing or broken.
    """
    paths = [
        {(prompt, seed): path for prompt, seed, path in zip(table["prompt"], table["seed"], table["path"], strict=True)}
        for table in (samples_base, samples_tuned)
    ]
    examples: dict[str, list[JudgeExample]] = {}
    for name in judges:
        answers = [answer for answer in read_answers(judgements / f"{name}.jsonl") if answer.part is None]
        shown = [answer for answer in answers if all((answer.prompt, answer.seed) in table for table in paths)]
        examples[name] = [
            _example(name, answer, [Path(table[answer.prompt, answer.seed]) for table in paths], words=question)
            for answer in shown[:EXAMPLES]
        ]
    return examples


def _example(name: str, answer: JudgeAnswer, base_and_tuned: Sequence[Path], *, words: str) -> JudgeExample:
    base, tuned = base_and_tuned
    question = JudgeQuestion(
        prompt=answer.prompt,
        seed=answer.seed,
        path_base=base,
        path_tuned=tuned,
        order=answer.order,
        repeat=answer.repeat,
    )
    pair = blind(question)
    verdict, asked = answer.verdict, question_text(answer.prompt, None, words)
    return JudgeExample(
        prompt=answer.prompt,
        seed=answer.seed,
        image_a=pair.image_a,
        image_b=pair.image_b,
        first=answer.order.removesuffix("_first"),
        question=asked if name in PAID_JUDGES else "it counts the anomalies in A and B.",
        answer=f"unparsed ({answer.unparsed})." if verdict is None else f"{verdict.overall} ({verdict.reason}).",
    )
