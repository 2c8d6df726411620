"""What a judge's labels of single pictures say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from anomend.judging.body_question import BodyVerdict
from anomend.judging.picture_answers import PictureAnswer
from anomend.labelling.records import KINDS
from anomend.statistics.proportions import wilson_interval

MODELS = ("base", "tuned")
CAUTION = "labels of a model count for nothing until people's labels of the same pictures show how often it errs"


def label_metrics(answers: Sequence[PictureAnswer]) -> dict[str, Any]:
    """What a judge's labels say.

    Returns:
        n: pictures; unsure, unparsed: those without a decision, which count in no rate; asked_again;
        by group and model: n, wrong, rate (of wrong among decided pictures), its Wilson interval ci_low, ci_high;
        kinds: by model, the share of decided target pictures with each kind;
        parts: by body part and model, the same rates of the crops of that part in target pictures, if there are any;
        caution.
    """
    whole = [answer for answer in answers if answer.part is None]
    groups = dict.fromkeys(answer.group for answer in whole)
    parts = dict.fromkeys(answer.part for answer in answers if answer.part is not None)
    target = [answer for answer in answers if answer.group == "target"]
    metrics: dict[str, Any] = {
        "n": len(whole),
        "unsure": sum(each.verdict is not None and each.verdict.answer == "unsure" for each in whole),
        "unparsed": sum(each.verdict is None for each in whole),
        "asked_again": sum("asked_again" in each.details for each in whole),
        **{group: _rates([each for each in whole if each.group == group]) for group in groups},
        "kinds": {
            model: _kinds([each for each in target if each.part is None and each.drawn_by == model]) for model in MODELS
        },
    }
    if parts:
        metrics["parts"] = {part: _rates([each for each in target if each.part == part]) for part in parts}
    return metrics | {"caution": CAUTION}


def _rates(answers: Sequence[PictureAnswer]) -> dict[str, dict[str, Any]]:
    """The rate of wrong among decided pictures, by model."""
    return {model: _rate([each for each in answers if each.drawn_by == model]) for model in MODELS}


def _rate(answers: Sequence[PictureAnswer]) -> dict[str, Any]:
    decided = _decided(answers)
    wrong = sum(verdict.answer == "wrong" for verdict in decided)
    if not decided:
        return {"n": 0, "wrong": 0, "rate": None, "ci_low": None, "ci_high": None, "reason": "no picture was decided"}
    low, high = wilson_interval(wrong, len(decided))
    return {"n": len(decided), "wrong": wrong, "rate": wrong / len(decided), "ci_low": low, "ci_high": high}


def _kinds(answers: Sequence[PictureAnswer]) -> dict[str, float | None]:
    decided = _decided(answers)
    wrong = [verdict for verdict in decided if verdict.answer == "wrong"]
    return {kind: sum(kind in each.kinds for each in wrong) / len(decided) if decided else None for kind in KINDS}


def _decided(answers: Sequence[PictureAnswer]) -> list[BodyVerdict]:
    return [each.verdict for each in answers if each.verdict is not None and each.verdict.answer != "unsure"]
