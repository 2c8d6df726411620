"""Answers as the servers give them: HADM-Server's by its response model, MagicAssessor's as its authors published them,
SDG's by the cards of its two stages."""

from __future__ import annotations

from typing import Any


def hadm(*boxes: tuple[str, float]) -> dict[str, Any]:
    """HADM-Server's answer: class names with confidences; those that begin with `human` are of its global detector."""
    found: dict[str, list[dict[str, Any]]] = {"local_detections": [], "global_detections": []}
    for name, confidence in boxes:
        wide = name.startswith(("human", "global"))
        found["global_detections" if wide else "local_detections"].append(
            {
                "bbox": [10.5, 20.0, 300.25, 400.0],
                "confidence": confidence,
                "class_name": name,
                "artifacts": {"class_id": 1, "type": "artifact", "detection_method": "HADM", "bbox_area": 110105.0},
            }
        )
    return {
        "success": True,
        "message": "Inference completed successfully",
        "results": {"image_size": [1024, 1024], "mode": "both"},
        "processing_time": 1.25,
        **found,
    }


def completion(text: str, finish: str = "stop") -> dict[str, Any]:
    """vLLM's answer to a chat completion."""
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": text}, "logprobs": None, "finish_reason": finish}
        ],
        "usage": {"prompt_tokens": 900, "completion_tokens": 200, "total_tokens": 1100},
    }


MAGIC_NORMAL = (
    "<think>\nUpon examining the image, the scene depicts a female astronaut inside a spaceship's cockpit, gazing "
    'out at Earth. There are no abnormalities present.\n</think>\n\\boxed{{"Whether Normal": true}}'
)
MAGIC_ANATOMY = (
    "<think>\nThe left hand {at the hip} has six fingers, and the foot is twisted.\n</think>\n"
    '\\boxed{{"Whether Normal": false, "Type of Deformity": {"L2: Abnormal Human Anatomy": '
    '["L3: Hand Structure Deformity", "L3: Foot Structure Deformity"], "L2: Irrational Element Interaction": '
    '["L3: Abnormal Light and Shadow Effect"]}}}'
)
MAGIC_PYTHON = (
    "<think>The legs.</think>\\boxed{{'Whether Normal': False, 'Type of Abnormality': "
    "{'L2: Abnormal Human Anatomy': ['L3: Limb Structure Deformity']}}}"
)
SDG_SFT = (
    "<think>\n### Step 1: ...\n</think>\n<answer>\n[\n"
    '  {"box_2d": [412, 388, 655, 590], "label": "artifact", "desc": "The left arm ends in two hands."},\n'
    '  {"box_2d": [10, 20, 30, 40], "label": "misalignment", "desc": "No grass [at all]."}\n]\n</answer>'
)
SDG_GRPO = (
    '<think>...</think><answer>[{"box_2d": [388, 412, 590, 655], "label": "artifact", "description": "Two hands.", '
    '"importance": IMPORTANCE}]</answer>'
)
SDG_NOTHING = "<think>Nothing is wrong.</think>\n<answer>\n[]\n</answer>"
SDG_CUT = '<think>...</think><answer>[{"box_2d": [388, 412, 590, 655], "label": "artifact", "description": "Two ha'
