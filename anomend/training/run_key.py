"""The name of a training run, which is the folder of its checkpoints."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from anomend.params.params import Params
from anomend.project.files import sha256_of

_NO_EFFECT: dict[str, Any] = {"launcher": True, "checkpoint_every": True, "monitor": {"trackers"}}
"""Parameters of section `train` that change no weight. Those that change rounding are part of the key."""


def run_key(params: Params, *, encoded: Path, base_weights: str, code: str) -> str:
    """Equal for equal parameters, data, base and code, so that a run resumes its own checkpoints only.

    Args:
        params: all parameters.
        encoded: folder of the encoded image sets.
        base_weights: what identifies the base's weights, from `base_models.fingerprint`.
        code: fingerprint of the code that trains.

    Returns:
        16 hexadecimal digits.
    """
    sample = params.sample.model_dump(include={"steps", "guidance_scale", "batch_size"})
    settings = params.train.model_dump(exclude=_NO_EFFECT) | {"sample": sample, "target": params.prompts.target}
    parts = [json.dumps(settings, sort_keys=True), base_weights, params.base.dtype, code]
    parts += [f"{path.name} {sha256_of(path)}" for path in sorted(encoded.glob("*.safetensors"))]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
