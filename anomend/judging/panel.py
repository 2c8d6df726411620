"""All judges on the same pairs: their questions, their answers, and what these say."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm import tqdm

from anomend.detectors.table import make_detector
from anomend.judging.analysis import analyse, analyse_parts, pair_scores, pooled
from anomend.judging.answers import write_answers
from anomend.judging.label_metrics import label_metrics
from anomend.judging.llm_client import counted
from anomend.judging.llm_judge import LlmJudge
from anomend.judging.llm_requests import LlmQuestion
from anomend.judging.parts import part_questions
from anomend.judging.pictures import keep_labels, picture_questions, with_parts
from anomend.judging.protocol import Judge, JudgeAnswer, JudgeQuestion, ask, whole_questions
from anomend.judging.registry import PAID_JUDGES, make_judge
from anomend.judging.settings import JudgeSettings, LlmSettings
from anomend.params.detectors import DetectorParams
from anomend.params.evaluation import JudgeParams
from anomend.purchasing.buyer import check_together
from anomend.purchasing.settings import PurchaseSettings

LABELS = "labels"
"""Folder with labels of single pictures, among the answers."""


@dataclass(frozen=True, kw_only=True)
class PanelResult:
    """What a panel of judges says."""

    metrics: dict[str, Any]
    """By judge: see `analyse`, with the counts of a paid judge and, under `parts`, see `analyse_parts`, and under
    `labels`, see `label_metrics`; and `pooled`, where several independent judges answered."""
    scores: pd.DataFrame
    """One row per judge and pair: columns judge, prompt, seed, score (of the tuned image, 0 to 1)."""
    questions: int
    """Questions about whole images, to each judge."""


def judge_pairs(
    pairs: pd.DataFrame,
    params: JudgeParams,
    *,
    pictures: pd.DataFrame,
    question: str,
    detector: str,
    detectors: DetectorParams,
    device: str,
    purchases: Mapping[str, PurchaseSettings],
    folder: Path,
) -> PanelResult:
    """Ask every judge about all pairs, blind and in both orders, and analyse the answers.

    Args:
        pairs: as `choose_pairs` returns them.
        params: which judges answer which questions, how often.
        pictures: single pictures that paid judges label, as `choose_pictures` returns them; may be empty.
        question: which of two images is the more natural, in the words that people read.
        detector: name of the anatomy detector behind the judge `anatomy`.
        detectors: parameters of the detectors.
        device: where detectors run that can use a GPU.
        purchases: by paid judge: its model and money.
        folder: where the answers are written, one JSONL file per judge.

    Raises:
        ValueError: a judge cannot be made, or its answers cannot be bought.
        FileNotFoundError: the networks of a detector are missing.
    """
    judges: dict[str, Judge] = {
        name: make_judge(
            name,
            JudgeSettings(
                detector=detector,
                detectors=detectors,
                device=device,
                llm=_llm_settings(params, purchases[name], question) if name in PAID_JUDGES else None,
            ),
        )
        for name in params.judges
    }
    paid = {name: judge for name, judge in judges.items() if isinstance(judge, LlmJudge)}
    about_whole = whole_questions(pairs, params.repeats)
    about_parts: list[JudgeQuestion] = []
    about_single = picture_questions(pictures) if paid else []
    # Before pictures are searched for parts, and before the first cent.
    sent = _affordable(paid, about_whole, about_single)
    if params.parts != "none" and paid:
        parts = make_detector(params.parts, detectors, device)
        about_parts = part_questions(pairs, params.repeats, parts)
        pictures = with_parts(pictures, parts)
        about_single = picture_questions(pictures)
        sent = _affordable(paid, [*about_whole, *about_parts], about_single)
    # The stage has this folder as an output, also without judges.
    folder.mkdir(parents=True, exist_ok=True)
    metrics: dict[str, Any] = {}
    scores: dict[str, pd.Series] = {}
    for name, judge in judges.items():
        if name in paid:
            paid[name].client.buy(sent[name])
        # The anatomy detector counts the parts of a whole body, and cannot assess one part.
        questions = [*about_whole, *about_parts] if name in paid else about_whole
        with tqdm(questions, desc=f"judge {name}") as bar:
            answers = write_answers(folder / f"{name}.jsonl", ask(judge, bar))
        metrics[name] = analyse(answers, params.seed)
        if name in paid:
            metrics[name] |= {"asked_again": sum("asked_again" in answer.details for answer in answers)}
            metrics[name] |= asdict(purchases[name].counts)
            if about_single:
                labels = keep_labels(paid[name].client, pictures, about_single, folder / LABELS)
                metrics[name]["labels"] = label_metrics(labels)
                _warn_unparsed(f"{name}, on single pictures", [label.unparsed for label in labels])
        if by_part := analyse_parts(answers, params.seed):
            metrics[name]["parts"] = by_part
        scores[name] = pair_scores(answers)
        _warn(name, answers, metrics[name])
    # The anatomy detector is not an independent opinion, so it is not pooled with those that are.
    independent: dict[str, pd.Series] = {name: scores[name] for name in paid}
    if len(independent) > 1:
        metrics["pooled"] = pooled(independent, params.seed)
    return PanelResult(metrics=metrics, scores=_table(scores), questions=len(about_whole))


def _affordable(
    paid: Mapping[str, LlmJudge], questions: Sequence[JudgeQuestion], about_single: Sequence[LlmQuestion]
) -> dict[str, list[LlmQuestion]]:
    """All that each paid judge is asked, once it is certain that all of them may be paid."""
    sent = {
        name: [*judge.questions(tqdm(questions, desc=f"questions to {name}")), *about_single]
        for name, judge in paid.items()
    }
    check_together([(judge.client.buyer, judge.client.plan(sent[name])) for name, judge in paid.items()])
    return sent


def _warn(name: str, answers: Sequence[JudgeAnswer], metrics: Mapping[str, Any]) -> None:
    """Tell the user on the screen what a metric file alone would hide."""
    _warn_unparsed(name, [answer.unparsed for answer in answers])
    if caution := metrics.get("caution"):
        tqdm.write(f"judge {name}: {caution}", file=sys.stderr)


def _warn_unparsed(name: str, problems: Sequence[str | None]) -> None:
    if told := list(filter(None, problems)):
        tqdm.write(
            f"judge {name}: {len(told)} of {len(problems)} answers are not verdicts and are left out ({counted(told)})",
            file=sys.stderr,
        )


def _llm_settings(params: JudgeParams, purchase: PurchaseSettings, question: str) -> LlmSettings:
    return LlmSettings(
        purchase=purchase,
        question=question,
        image_size=params.image_size,
        max_tokens=params.max_tokens,
        batch=params.batch,
        poll_s=params.poll_s,
    )


def _table(scores: Mapping[str, pd.Series]) -> pd.DataFrame:
    columns = ["judge", "prompt", "seed", "score"]
    tables = [series.rename("score").reset_index().assign(judge=judge) for judge, series in scores.items()]
    return pd.concat(tables, ignore_index=True)[columns] if tables else pd.DataFrame(columns=columns)
