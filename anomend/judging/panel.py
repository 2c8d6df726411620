"""All judges on the same pairs: their questions, their answers, and what these say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm import tqdm

from anomend.detectors.table import make_detector
from anomend.judging.analysis import analyse, analyse_parts, pair_scores, pooled
from anomend.judging.answers import write_answers
from anomend.judging.llm_judge import LlmJudge
from anomend.judging.parts import part_questions
from anomend.judging.protocol import JudgeAnswer, JudgeQuestion, ask, blind, whole_questions
from anomend.judging.registry import PAID_JUDGES, make_judge
from anomend.judging.settings import JudgeSettings, LlmSettings
from anomend.params.detectors import DetectorParams
from anomend.params.evaluation import JudgeParams
from anomend.purchasing.settings import PurchaseSettings


@dataclass(frozen=True, kw_only=True)
class PanelResult:
    """What a panel of judges says."""

    metrics: dict[str, Any]
    """By judge: see `analyse`, with the counts of a paid judge and, under `parts`, see `analyse_parts`; and `pooled`,
    where several independent judges answered."""
    scores: pd.DataFrame
    """One row per judge and pair: columns judge, prompt, seed, score (of the tuned image, 0 to 1)."""
    questions: int
    """Questions about whole images, to each judge."""


def judge_pairs(
    pairs: pd.DataFrame,
    params: JudgeParams,
    *,
    detector: str,
    detectors: DetectorParams,
    purchases: Mapping[str, PurchaseSettings],
    folder: Path,
) -> PanelResult:
    """Ask every judge about all pairs, blind and in both orders, and analyse the answers.

    Args:
        pairs: as `choose_pairs` returns them.
        params: which judges answer which questions, how often.
        detector: name of the anatomy detector behind the judge `anatomy`.
        detectors: parameters of the detectors.
        purchases: by paid judge: its model and money.
        folder: where the answers are written, one JSONL file per judge.

    Raises:
        ValueError: a judge cannot be made, or its answers cannot be bought.
        FileNotFoundError: the networks of a detector are missing.
    """
    about_whole = whole_questions(pairs, params.repeats)
    about_parts: list[JudgeQuestion] = []
    if params.parts != "none" and set(params.judges) & set(PAID_JUDGES):
        about_parts = part_questions(pairs, params.repeats, make_detector(params.parts, detectors))
    # The stage has this folder as an output, also without judges.
    folder.mkdir(parents=True, exist_ok=True)
    metrics: dict[str, Any] = {}
    scores: dict[str, pd.Series] = {}
    for name in params.judges:
        llm = _llm_settings(params, purchases[name]) if name in PAID_JUDGES else None
        settings = JudgeSettings(detector=detector, detectors=detectors, llm=llm)
        # The anatomy detector counts the parts of a whole body, and cannot assess one part.
        questions = [*about_whole, *about_parts] if name in PAID_JUDGES else about_whole
        answers = _answers(name=name, settings=settings, questions=questions, path=folder / f"{name}.jsonl")
        metrics[name] = analyse(answers, params.seed)
        if llm is not None:
            metrics[name] |= asdict(llm.purchase.counts)
        if by_part := analyse_parts(answers, params.seed):
            metrics[name]["parts"] = by_part
        scores[name] = pair_scores(answers)
    # The anatomy detector is not an independent opinion, so it is not pooled with those that are.
    independent: dict[str, pd.Series] = {name: scores[name] for name in params.judges if name in PAID_JUDGES}
    if len(independent) > 1:
        metrics["pooled"] = pooled(independent, params.seed)
    return PanelResult(metrics=metrics, scores=_table(scores), questions=len(about_whole))


def _llm_settings(params: JudgeParams, purchase: PurchaseSettings) -> LlmSettings:
    return LlmSettings(
        purchase=purchase,
        image_size=params.image_size,
        max_tokens=params.max_tokens,
        batch=params.batch,
        poll_s=params.poll_s,
    )


def _answers(
    *, name: str, settings: JudgeSettings, questions: Sequence[JudgeQuestion], path: Path
) -> list[JudgeAnswer]:
    """The answers of one judge, written to a file as they come."""
    judge = make_judge(name, settings)
    if isinstance(judge, LlmJudge):
        judge.buy(blind(question) for question in questions)
    with tqdm(questions, desc=f"judge {name}") as bar:
        return write_answers(path, ask(judge, bar))


def _table(scores: Mapping[str, pd.Series]) -> pd.DataFrame:
    columns = ["judge", "prompt", "seed", "score"]
    tables = [series.rename("score").reset_index().assign(judge=judge) for judge, series in scores.items()]
    return pd.concat(tables, ignore_index=True)[columns] if tables else pd.DataFrame(columns=columns)
