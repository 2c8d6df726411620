"""HADM-Server (github.com/Pmobilee/HADM-Server): the detectors of Wang et al. 2024 (arXiv 2411.13842) by HTTP.

Its local detector finds distorted parts, its global one missing and extra parts. If one of them fails, the server says
so in its log alone, and answers without boxes.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, Field

from anomend.detectors.endpoint.form import Form, invalid

SCORE = 0.5
"""Least confidence of a box."""
MOST_BOXES = 1000


class _Box(BaseModel):
    confidence: float = Field(ge=0, le=1)
    class_name: str = Field(max_length=200)


class _Hadm(BaseModel):
    success: bool
    message: str = ""
    local_detections: list[_Box] = Field(max_length=MOST_BOXES)
    global_detections: list[_Box] = Field(max_length=MOST_BOXES)


PARTS = ("face", "torso", "arm", "leg", "hand", "feet")
_OTHER = "other_artifact"


def _hadm_body(png: bytes, model: str | None, instructions: str) -> dict[str, Any]:
    return {"image_base64": base64.b64encode(png).decode(), "mode": "both"}


def _hadm_problem(answer: Mapping[str, Any]) -> str | None:
    if answer.get("success") is False:
        return f"it says: {str(answer.get('message'))[:200]}"
    return invalid(_Hadm, answer)


def _hadm_anomalies(answer: Mapping[str, Any]) -> tuple[str, ...]:
    boxes = _Hadm.model_validate(answer)
    kinds = {_distorted(box.class_name) for box in boxes.local_detections if box.confidence >= SCORE}
    kinds |= {_counted(box.class_name) for box in boxes.global_detections if box.confidence >= SCORE}
    return tuple(kind for kind in HADM.kinds if kind in kinds)


def _distorted(name: str) -> str:
    return f"distorted_{name}" if name in PARTS else _OTHER


def _counted(name: str) -> str:
    """`human with extra arm` -> `extra_arm`."""
    words = re.fullmatch(r"human (?:with )?(missing|extra) (\w+)", name)
    return f"{words[1]}_{words[2]}" if words and words[2] in PARTS else _OTHER


HADM = Form(
    path="/api/v1/detect-base64",
    kinds=(
        *(f"{fault}_{part}" for fault in ("missing", "extra", "distorted") for part in PARTS),
        _OTHER,
    ),
    body=_hadm_body,
    problem=_hadm_problem,
    anomalies=_hadm_anomalies,
)
