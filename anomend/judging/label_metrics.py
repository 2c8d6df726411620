"""What a judge's labels of single pictures say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from anomend.judging.body_question import KINDS
from anomend.judging.pictures import PictureAnswer
from anomend.statistics import wilson_interval

CAUTION = "labels of a model count for nothing until people's labels of the same pictures show how often it errs"


def label_metrics(answers: Sequence[PictureAnswer]) -> dict[str, Any]:
    """What a judge's labels say.

    Returns:
        n: pictures; unsure, unparsed: those without a decision, which count in no rate; asked_again;
        by group and model: n, wrong, rate (of wrong among decided pictures), its Wilson interval ci_low, ci_high;
        kinds: by model, the share of decided target pictures with each kind; caution.
    """
    decided = [each for each in answers if each.verdict is not None and each.verdict.answer != "unsure"]
    groups = dict.fromkeys(answer.group for answer in answers)
    return {
        "n": len(answers),
        "unsure": sum(each.verdict is not None and each.verdict.answer == "unsure" for each in answers),
        "unparsed": sum(each.verdict is None for each in answers),
        "asked_again": sum("asked_again" in each.details for each in answers),
        **{
            group: {
                model: _rate([each for each in decided if (each.group, each.drawn_by) == (group, model)])
                for model in ("base", "tuned")
            }
            for group in groups
        },
        "kinds": {
            model: _kinds([each for each in decided if (each.group, each.drawn_by) == ("target", model)])
            for model in ("base", "tuned")
        },
        "caution": CAUTION,
    }


def _rate(decided: Sequence[PictureAnswer]) -> dict[str, Any]:
    wrong = sum(each.verdict is not None and each.verdict.answer == "wrong" for each in decided)
    if not decided:
        return {"n": 0, "wrong": 0, "rate": None, "ci_low": None, "ci_high": None, "reason": "no picture was decided"}
    low, high = wilson_interval(wrong, len(decided))
    return {"n": len(decided), "wrong": wrong, "rate": wrong / len(decided), "ci_low": low, "ci_high": high}


def _kinds(decided: Sequence[PictureAnswer]) -> dict[str, float | None]:
    verdicts = [each.verdict for each in decided if each.verdict is not None]
    return {
        kind: sum(each.answer == "wrong" and kind in each.kinds for each in verdicts) / len(verdicts)
        if verdicts
        else None
        for kind in KINDS
    }
