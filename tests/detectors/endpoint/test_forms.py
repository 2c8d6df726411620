"""What recorded answers of the servers say."""

from __future__ import annotations

from typing import Any

import pytest

from anomend.detectors.endpoint.form import UNREADABLE
from anomend.detectors.endpoint.forms import FORMS
from anomend.detectors.endpoint.magicassessor import boxed
from tests.detectors.endpoint import answers as recorded
from tests.detectors.endpoint.answers import completion, hadm


@pytest.mark.parametrize(
    ("boxes", "kinds"),
    [
        ((), ()),
        ((("human with extra arm", 0.91), ("human missing leg", 0.5), ("hand", 0.77)),
         ("missing_leg", "extra_arm", "distorted_hand")),
        ((("human with extra arm", 0.49), ("feet", 0.1)), ()),
        ((("human with extra feet", 0.9), ("human with extra feet", 0.8)), ("extra_feet",)),
        ((("global_artifact_class_17", 0.9), ("local_artifact_class_9", 0.9)), ("other_artifact",)),
    ],
)  # fmt: skip
def test_hadms_boxes(boxes: tuple[tuple[str, float], ...], kinds: tuple[str, ...]) -> None:
    form = FORMS["hadm"]
    assert form.problem(hadm(*boxes)) is None
    assert form.anomalies(hadm(*boxes)) == kinds and set(kinds) <= set(form.kinds)


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ({"success": False, "message": "Inference failed: CUDA out of memory"}, "it says: Inference failed: CUDA out"),
        (hadm() | {"global_detections": None}, "global_detections: Input should be a valid list"),
        (hadm(*[("hand", 0.9)] * 1001), "local_detections: List should have at most 1000 items"),
        (hadm(("hand", 7.0)), "confidence: Input should be less than or equal to 1"),
    ],
)
def test_what_is_not_hadms_answer(answer: dict[str, Any], problem: str) -> None:
    assert problem in (FORMS["hadm"].problem(answer) or "")


@pytest.mark.parametrize(
    ("form", "text", "kinds"),
    [
        ("magicassessor", recorded.MAGIC_NORMAL, ()),
        ("magicassessor", recorded.MAGIC_ANATOMY, ("deformed_hand", "deformed_foot")),
        ("magicassessor", recorded.MAGIC_PYTHON, ("deformed_limb",)),
        ("magicassessor", '\\boxed{"Whether Normal": true}', ()),
        # A fault of an object or of the light is not one of the body.
        ("magicassessor", '\\boxed{{"Whether Normal": false, "Type of Abnormality": {"L2: Abnormal Object '
         'Morphology": true}}}', ()),
        ("magicassessor", '\\boxed{{"Whether Normal": false, "Type of Abnormality": {"L2: Abnormal Human '
         'Anatomy": true}}}', ("abnormal_anatomy",)),
        ("magicassessor", '\\boxed{{"Whether Normal": false}}', (UNREADABLE,)),
        ("magicassessor", "<think>I cannot say", (UNREADABLE,)),
        ("magicassessor", '\\boxed{{"Whether Normal": tr', (UNREADABLE,)),
        ("magicassessor", "\\boxed{{'a': __import__('os').getcwd()}}", (UNREADABLE,)),
        ("sdg", recorded.SDG_SFT, ("artifact",)),
        ("sdg", recorded.SDG_GRPO.replace("IMPORTANCE", "72"), ("artifact",)),
        ("sdg", recorded.SDG_GRPO.replace("IMPORTANCE", "39"), ()),
        ("sdg", recorded.SDG_GRPO.replace("artifact", "misalignment").replace("IMPORTANCE", "95"), ()),
        ("sdg", recorded.SDG_NOTHING, ()),
        ("sdg", recorded.SDG_CUT, ("artifact",)),
        ("sdg", "<think>I am still thinking", (UNREADABLE,)),
        ("sdg", "<answer>[1, 2]</answer>", (UNREADABLE,)),
    ],
)  # fmt: skip
def test_what_language_models_say(form: str, text: str, kinds: tuple[str, ...]) -> None:
    assert FORMS[form].problem(completion(text)) is None
    assert FORMS[form].anomalies(completion(text)) == kinds and set(kinds) <= set(FORMS[form].kinds)


@pytest.mark.parametrize("answer", [{}, {"choices": []}, {"choices": [{"message": {"content": None}}]}])
def test_what_is_not_a_completion(answer: dict[str, Any]) -> None:
    assert FORMS["sdg"].problem(answer) and FORMS["magicassessor"].problem(answer)


def test_deep_nesting_is_unreadable_and_no_crash() -> None:
    assert boxed("\\boxed{" + "{" * 100_000) is None
    assert boxed("\\boxed{" + '{"a": ' * 5000 + "1" + "}" * 5001) is None
    text = "<answer>" + "[" * 50_000 + "]" * 50_000 + "</answer>"
    assert FORMS["sdg"].anomalies(completion(text)) == (UNREADABLE,)
