"""The table of detectors: a new one is one file and one row."""

from __future__ import annotations

import re
from importlib import import_module
from typing import cast

from anomend.detectors.detector import Detector, DetectorModule, Use
from anomend.params.detectors import DetectorParams
from anomend.params.params import Params

DETECTORS: dict[str, str] = {
    "drawn_people": "anomend.detectors.drawn_people",
    "photographs": "anomend.detectors.photographs.detector",
    "photographs_rtdetr": "anomend.detectors.photographs_rtdetr",
    "objects": "anomend.detectors.objects",
    "segformer": "anomend.detectors.segformer",
    "endpoint": "anomend.detectors.endpoint.detector",
    "none": "anomend.detectors.no_detector",
}
"""Detector to its module (`DetectorModule`), which is imported at first use: network libraries take seconds to load."""

PROVEN = frozenset({"drawn_people"})
"""Detectors that decide a verdict by themselves. Any other needs people's labels of the run's own pictures: how often
it is right depends on the pictures, and may differ between the two models."""

_WORDS: dict[Use, str] = {
    "anomalies": "name anomalies",
    "curation": "select training images",
    "parts": "locate parts of a body",
}


def module_of(name: str) -> str:
    """The module that a detector's name loads, without importing it.

    Args:
        name: as the parameters write it, such as `drawn_people` or `objects:MODEL@PIN`.

    Raises:
        ValueError: there is no such detector.
    """
    row = name.partition(":")[0]
    if row not in DETECTORS:
        raise ValueError(f"there is no detector {name!r}: choose one of {', '.join(DETECTORS)}")
    return DETECTORS[row]


def folder_of(name: str) -> str | None:
    """The local folder whose model a detector's name loads, such as `objects:FOLDER@SHA256`; None where it names none.

    A hub repository is pinned by a commit of 40 digits, which fixes all its files. The SHA-256 of 64 fixes a folder's
    weights alone: its labels, its processor's settings and its licence may change beside them.
    """
    named = re.fullmatch(r"\w+:(.+)@[0-9a-f]{64}", name)
    return named[1] if named else None


def detector_for(name: str, source: str, model: str | None = None) -> str:
    """The detector of a collected image: `auto` takes `drawn_people` for drawn people, and `photographs` for all
    others.

    Args:
        name: as the parameters write it.
        source: where the image is from.
        model: what made it; the miniature's own images are of drawn people too.
    """
    if name != "auto":
        return name
    drawn = source == "drawn_people" or (source, model) == ("base", "mini")
    return "drawn_people" if drawn else "photographs"


def check_detector(name: str, settings: DetectorParams, use: Use, *, running: bool = True) -> None:
    """Whether a detector can run here and do what it is chosen for, without loading a network or going online.

    Args:
        name: as the parameters write it.
        settings: the models that detectors load.
        use: what it is chosen for.
        running: False: it has nothing to do in this run, and may lack its models.

    Raises:
        ValueError: it is unknown, cannot do this, or lacks something; one sentence.
    """
    module, argument = _module_and_argument(name)
    if use not in module.USES:
        able = [each.FORM for each in map(_imported, DETECTORS.values()) if use in each.USES]
        raise ValueError(f"the detector {name} cannot {_WORDS[use]}: choose one of {', '.join(able)}")
    if running:
        module.check(argument, settings)


def make_detector(name: str, settings: DetectorParams, device: str = "auto") -> Detector:
    """The detector of that name, with its models loaded.

    Args:
        name: as the parameters write it.
        settings: the models that detectors load.
        device: where models run that can use a GPU: `cpu`, `cuda`, or `auto`, a GPU if there is one.

    Raises:
        ValueError: it is unknown, or lacks something, or torch sees no GPU.
        FileNotFoundError: a model is missing.
    """
    module, argument = _module_and_argument(name)
    return module.make(argument, settings, device)


def check_detectors(params: Params) -> None:
    """Check every detector that a run chooses, before hours are spent.

    Raises:
        ValueError: one cannot be used; the sentence begins with its parameter and value.
    """
    uses: list[tuple[str, str, Use]] = [
        (parameter, name, "anomalies") for parameter, name in params.anatomy_detectors().items()
    ]
    uses.append(("judge.parts", params.judge.parts, "parts"))
    if params.curate.detector != "auto":
        uses.append(("curate.detector", params.curate.detector, "curation"))
    idle = params.idle_detectors()
    for parameter, name, use in uses:
        try:
            check_detector(name, params.detectors, use, running=parameter not in idle)
        except ValueError as error:
            raise ValueError(f"{parameter} = {name!r}: {error}") from error


def _imported(module: str) -> DetectorModule:
    return cast(DetectorModule, import_module(module))


def _module_and_argument(name: str) -> tuple[DetectorModule, str]:
    module = _imported(module_of(name))
    _, colon, argument = name.partition(":")
    if bool(colon) != (":" in module.FORM):
        raise ValueError(f"there is no detector {name!r}: write {module.FORM}")
    return module, argument
