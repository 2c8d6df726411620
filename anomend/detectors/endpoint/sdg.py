"""The SDG detector (Zhang et al. 2026, arXiv 2606.06113) behind an OpenAI-compatible server.

It lists defects between <answer> and </answer>. Its two stages differ in the order of a box's numbers, which are not
read here, and in that the second one says how important a defect is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from anomend.detectors.endpoint import completions
from anomend.detectors.endpoint.form import UNREADABLE, Form

IMPORTANCE = 40
"""Least importance of a defect, 1 to 100: by the model's own scale, what is below is seen on careful examination alone.
An answer of its first stage has no importance, and counts."""


def _anomalies(answer: Mapping[str, Any]) -> tuple[str, ...]:
    text = completions.text(answer)
    block = re.search(r"<answer>(.*?)(?:</answer>|\Z)", text, re.DOTALL)
    inside = block[1] if block else text
    begin, end = inside.find("["), inside.rfind("]")
    try:
        defects = json.loads(inside[begin : end + 1]) if 0 <= begin < end else None
    except (ValueError, RecursionError):
        defects = None
    if not isinstance(defects, list) or not all(isinstance(defect, Mapping) for defect in defects):
        # Cut off: what was whole before counts.
        return ("artifact",) if re.search(r'"label"\s*:\s*"artifact"', inside) else (UNREADABLE,)
    return ("artifact",) if any(map(_is_artifact, defects)) else ()


def _is_artifact(defect: Mapping[str, Any]) -> bool:
    importance = defect.get("importance")
    counts = not isinstance(importance, int | float) or importance >= IMPORTANCE
    return str(defect.get("label", "")).lower() == "artifact" and counts


SDG = Form(
    path=completions.PATH,
    kinds=("artifact", UNREADABLE),
    body=completions.body,
    problem=completions.problem,
    anomalies=_anomalies,
    instructions=(
        "Text Caption: a person. Find the defects of this generated picture. First think, between <think> and "
        "</think>. Then list them between <answer> and </answer>, as JSON, one object per defect with box_2d (four "
        'numbers from 0 to 1000), label ("artifact" for a visual defect such as wrong anatomy, "misalignment" for what '
        "the caption does not say), description, and importance (1 to 100). Without a defect the list is empty."
    ),
)
