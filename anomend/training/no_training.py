"""What stage `train` leaves with `train.method: none`, where nothing is trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from anomend.diffusion.base_models import fingerprint
from anomend.diffusion.lora_folder import WEIGHT_NAME
from anomend.diffusion.lora_origin import ORIGIN
from anomend.params.params import Params
from anomend.project.devices import resolve_device
from anomend.training.curves import clear_curves

REASON = "train.method is none: no LoRA was trained"


def no_training(params: Params, lora: Path, curves: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Remove the weights and the curves of an earlier run.

    Args:
        params: all parameters.
        lora: folder of the LoRA; it is made, without weights.
        curves: folder of curves and sample grids; it is made, without any.

    Returns:
        Metrics and provenance for metrics/train.json.
    """
    lora.mkdir(parents=True, exist_ok=True)
    for name in (WEIGHT_NAME, ORIGIN):
        (lora / name).unlink(missing_ok=True)
    clear_curves(curves)
    metrics = {
        "lora_sha256": None,
        "steps": 0,
        "kept_step": None,
        "stopped_early": False,
        "train_seed": None,
        "reason": REASON,
    }
    provenance = {
        "n": 0,
        "n_class": 0,
        "n_losers": 0,
        "base": params.base.name,
        "base_weights": fingerprint(params.base.name, params.base.local_folder, params.base.revision),
        "device": resolve_device(params.base.device).type,
    }
    return metrics, provenance
