"""What detected anomalies depend on besides the detector's name and the image."""

from __future__ import annotations

import json
from typing import Any

from anomend.params.params import Params
from anomend.project.dependencies import recorded_fingerprint
from anomend.project.paths import INPUTS


def detection_of(params: Params) -> list[Any]:
    """The fingerprint of the detectors' code, their parameters, and the contents of the folder that a name leads to.

    Raises:
        ValueError: stage `resolve` has not run.
    """
    try:
        inputs = json.loads(INPUTS.read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        inputs = {}
    return [recorded_fingerprint("detector"), params.detectors.model_dump(), inputs.get("measure")]
