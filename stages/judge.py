"""Stage `judge`: ask every judge about pairs of base and tuned images, blind and in both orders."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm import tqdm

from anomend.detectors.table import make_detector
from anomend.judging.analysis import analyse, analyse_parts, pair_scores, pooled
from anomend.judging.answers import write_answers
from anomend.judging.llm_judge import LlmJudge, LlmSettings
from anomend.judging.parts import part_questions
from anomend.judging.protocol import Answer, Question, ask, blind, choose_pairs, questions
from anomend.judging.registry import KEYS, JudgeSettings, make_judge
from anomend.params.evaluation import JudgeParams
from anomend.params.params import Params
from anomend.params.resolved import load_params
from anomend.pictures.image_sets import read_imagefolder
from anomend.project.metric_files import METRICS, write_metrics
from anomend.project.run import run_stage
from anomend.purchasing.budget import PERMISSION
from anomend.purchasing.purchase import Counts, Patience
from anomend.purchasing.store import STORE, project_store

SAMPLES, JUDGEMENTS = Path("data/samples"), Path("data/judgements")


def llm_settings(
    name: str, settings: JudgeParams, counts: Counts, progress: Callable[[Counts], None] = lambda _: None
) -> LlmSettings:
    """What a paid judge is told, from parameters and environment; `counts` is filled in as answers come."""
    asked = settings.requests
    return LlmSettings(
        model=getattr(settings.models, name),
        image_size=settings.image_size,
        max_tokens=settings.max_tokens,
        max_usd=settings.max_usd,
        concurrency=asked.concurrency,
        timeout_s=asked.timeout_s,
        patience=Patience(asked.attempts, asked.first_wait_s),
        store=project_store(Path.cwd(), os.environ.get(STORE)),
        api_key=os.environ.get(KEYS[name]),
        batch=settings.batch,
        poll_s=settings.poll_s,
        may_spend=os.environ.get(PERMISSION) == "1",
        say=lambda line: tqdm.write(line, file=sys.stderr),
        progress=progress,
        counts=counts,
    )


def _show(bar: tqdm[Any], so_far: Counts) -> None:
    answered = so_far.requests_paid + so_far.requests_from_store
    bar.set_postfix_str(f"{answered} answers, {so_far.retries} retries, ${so_far.spend_usd:.2f}")


def write_scores(path: Path, scores: Mapping[str, pd.Series]) -> None:
    """One row a judge and pair: the tuned image's score."""
    tables = [own.rename("score").reset_index().assign(judge=judge) for judge, own in scores.items()]
    columns = ["judge", "prompt", "seed", "score"]
    table = pd.concat(tables, ignore_index=True)[columns] if tables else pd.DataFrame(columns=columns)
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(path, index=False, lineterminator="\n")


def _ask(
    name: str, bar: tqdm[Question], asked: Sequence[Question], params: Params
) -> tuple[list[Answer], dict[str, Any]]:
    """Ask one judge everything and keep its answers; they are returned, with what they cost."""
    settings = params.judge
    # Paid judges need no detector.
    detector = make_detector("none" if name in KEYS else params.measure.detector, params.detectors)
    counts = Counts()
    llm = llm_settings(name, settings, counts, lambda so_far: _show(bar, so_far)) if name in KEYS else None
    judge = make_judge(name, JudgeSettings(lambda image: detector.detect(image).anomalies, detector.name, llm))
    if isinstance(judge, LlmJudge):
        judge.buy(blind(question) for question in asked)
    answers = write_answers(JUDGEMENTS / f"{name}.jsonl", ask(judge, bar))
    return answers, asdict(counts) if llm is not None else {}


def main() -> None:
    params = load_params()
    settings = params.judge
    base, tuned = (read_imagefolder(SAMPLES / model) for model in ("base", "tuned"))
    target = [table[table["group"] == "target"] for table in (base, tuned)]
    pairs = choose_pairs(target[0], target[1], settings.pairs_per_prompt, settings.seed)
    asked = questions(pairs, settings.repeats)
    parts_asked: list[Question] = []
    if settings.parts != "none" and set(settings.judges) & set(KEYS):
        parts_asked = part_questions(pairs, settings.repeats, make_detector(settings.parts, params.detectors))
    JUDGEMENTS.mkdir(parents=True, exist_ok=True)
    figures: dict[str, Any] = {}
    scores: dict[str, pd.Series] = {}
    for name in settings.judges:
        # The offline checker counts the parts of a whole figure, and cannot look at one of them.
        own = [*asked, *parts_asked] if name in KEYS else asked
        with tqdm(own, desc=f"judge {name}") as bar:
            answers, counts = _ask(name, bar, own, params)
        figures[name] = analyse(answers, settings.seed) | counts
        if of_parts := analyse_parts(answers, settings.seed):
            figures[name]["parts"] = of_parts
        scores[name] = pair_scores(answers)
    # The offline checker is no opinion, and not pooled with those who have one.
    if len(independent := {name: own for name, own in scores.items() if name in KEYS}) > 1:
        figures["pooled"] = pooled(independent, settings.seed)
    write_scores(METRICS / "plots" / "judge_pairs.csv", scores)
    provenance = {"n": len(pairs), "questions": len(asked), "repeats": settings.repeats, "seed": settings.seed}
    write_metrics(METRICS / "judge.json", figures, provenance)


if __name__ == "__main__":
    run_stage("judge", main)
