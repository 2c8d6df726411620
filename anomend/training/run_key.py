"""What a training run depends on, and its name, which is the folder of its checkpoints."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from anomend.params.params import Params
from anomend.params.resolved import split
from anomend.project.files import sha256_of


def run_identity(
    params: Params, *, encoded: Path, base_weights: str, code: str, labelled: str | None = None
) -> dict[str, Any]:
    """All that a run's weights depend on, by name: parameters, data, base and code.

    Run settings (`RUN_SETTING`) are left out, those that change rounding too: a run that ends for lack of memory goes
    on with a smaller `train.micro_batch_size`.

    Args:
        params: all parameters.
        encoded: folder of the encoded image sets.
        base_weights: what identifies the base's weights, from `base_models.fingerprint`.
        code: fingerprint of the code that trains.
        labelled: digest of labelled pictures; None: there are none.
    """
    results, _ = split(params)
    identity = _leaves(results["train"], "train.")
    identity |= {f"sample.{name}": results["sample"][name] for name in ("steps", "guidance_scale")}
    identity |= {"prompts.target": results["prompts"]["target"], "base.dtype": params.base.dtype}
    identity |= {"the base's weights": base_weights, "the code that trains": code}
    identity |= {"the labelled pictures": labelled} if labelled else {}
    return identity | {path.name: sha256_of(path) for path in sorted(encoded.glob("*.safetensors"))}


def run_key(identity: dict[str, Any]) -> str:
    """Equal for equal identities, so that a run resumes its own checkpoints only; 16 hexadecimal digits."""
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]


def _leaves(values: dict[str, Any], prefix: str) -> dict[str, Any]:
    leaves: dict[str, Any] = {}
    for name, value in values.items():
        leaves |= _leaves(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return leaves
