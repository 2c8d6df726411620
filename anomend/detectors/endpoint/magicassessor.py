"""MagicAssessor-7B (Wang et al. 2025, arXiv 2509.10260; github.com/wj-inf/MagicMirror) behind an OpenAI-compatible
server."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from typing import Any

from anomend.detectors.endpoint import completions
from anomend.detectors.endpoint.form import UNREADABLE, Form

ANATOMY = "L2: Abnormal Human Anatomy"
LABELS = {
    "L3: Limb Structure Deformity": "deformed_limb",
    "L3: Trunk Structure Deformity": "deformed_trunk",
    "L3: Hand Structure Deformity": "deformed_hand",
    "L3: Foot Structure Deformity": "deformed_foot",
    "L3: Facial Structure Deformity": "deformed_face",
    "L3: Abnormal and Uncoordinated Posture": "abnormal_posture",
    "L3: Abnormal Human Anatomy": "abnormal_anatomy",
}
"""MagicAssessor's labels of people; those of objects, animals and light are not about bodies."""


def _anomalies(answer: Mapping[str, Any]) -> tuple[str, ...]:
    said = boxed(completions.text(answer))
    normal = said.get("Whether Normal") if said else None
    if said is None or not isinstance(normal, bool):
        return (UNREADABLE,)
    if normal:
        return ()
    types = said.get("Type of Deformity", said.get("Type of Abnormality"))
    if not isinstance(types, Mapping):
        return (UNREADABLE,)
    labels = types.get(ANATOMY, [])
    named = {LABELS.get(label, "abnormal_anatomy") for label in labels} if isinstance(labels, list) else set()
    if labels and not named:  # True, without a label of the third level.
        named = {"abnormal_anatomy"}
    return tuple(kind for kind in MAGICASSESSOR.kinds if kind in named)


def boxed(text: str) -> dict[str, Any] | None:
    r"""The object in the last `\boxed{...}` of a text, as JSON or as Python writes it; None without a readable one."""
    start = text.rfind("\\boxed{")
    if start < 0:
        return None
    depth, begin = 0, start + len("\\boxed")
    for place in range(begin, len(text)):
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        if depth == 0:
            inside = text[begin + 1 : place].strip()
            inside = inside if inside.startswith("{") else f"{{{inside}}}"
            for read in (json.loads, ast.literal_eval):
                try:
                    value = read(inside)
                except (ValueError, SyntaxError, MemoryError, RecursionError):
                    continue
                return value if isinstance(value, dict) else None
            return None
    return None


MAGICASSESSOR = Form(
    path=completions.PATH,
    kinds=(*LABELS.values(), UNREADABLE),
    body=completions.body,
    problem=completions.problem,
    anomalies=_anomalies,
    instructions=(
        "A text-to-image model has drawn this picture of a person. Say whether the picture is normal, or the person's "
        "anatomy is not. First think, between <think> and </think>. Then answer with an object in \\boxed{}: "
        '\\boxed{{"Whether Normal": true}}, or \\boxed{{"Whether Normal": false, "Type of Abnormality": {"'
        f'{ANATOMY}": [LABELS]}}}}}}, where LABELS are one or more of {json.dumps(list(LABELS))}.'
    ),
)
