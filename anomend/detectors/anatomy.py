"""Anatomy: which images are anomalous. How often stands in `anatomy_rates`.

A detector maps one RGB image to its anomalies, such as ("missing_arm", "extra_leg"). Adding one is one entry in
DETECTORS; one that is told which model to run, as in `objects:MODEL@PIN`, is one in PLUGINS.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from importlib import import_module

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from anomend.detectors.detector import Detector
from anomend.detectors.photograph_anatomy import make_photographs, refuse_missing_networks
from anomend.miniature import anatomy as miniature

_PARTS = tuple(miniature.EXPECTED)
_FIGURE_KINDS = tuple(f"{fault}_{part}" for fault in ("missing", "extra", "detached") for part in _PARTS)

DETECTORS = {
    # The exact checker of the miniature's drawn figures, 64 x 64 pixels. All parts hang on the torso: it is never off.
    "figures": Detector(
        tuple(kind for kind in _FIGURE_KINDS if kind != "detached_torso"),
        lambda image: miniature.check(image).anomalies,
    ),
    "photographs": make_photographs(),
}
"""Every detector by its name."""

PLUGINS = {
    "objects": "anomend.detectors.objects",
}
"""Modules of the detectors that are named NAME:ARGUMENT, imported at first use. Each has `check(argument)`, which
raises a ValueError for what can be told without loading the model, and `make(argument)`, which returns a `Detector`."""


def find_detector(name: str) -> Detector:
    """The detector of that name.

    Raises:
        ValueError: there is none, or a plug-in refuses its argument.
    """
    plugin, colon, argument = name.partition(":")
    if colon and plugin in PLUGINS:
        return _made(plugin, argument)
    if name not in DETECTORS:
        choices = [*DETECTORS, *(f"{plugin}:..." for plugin in PLUGINS)]
        raise ValueError(f"unknown anatomy detector {name!r}: choose one of {', '.join(choices)}")
    return DETECTORS[name]


def check_detector(name: str) -> None:
    """Whether a detector can run here, told before hours are spent, without loading a network or going online.

    Raises:
        ValueError: it is unknown, or something that it needs is missing; one sentence.
    """
    plugin, colon, argument = name.partition(":")
    if colon and plugin in PLUGINS:
        import_module(PLUGINS[plugin]).check(argument)
    elif find_detector(name) is DETECTORS["photographs"]:
        refuse_missing_networks()


@lru_cache(maxsize=4)
def _made(plugin: str, argument: str) -> Detector:
    detector: Detector = import_module(PLUGINS[plugin]).make(argument)
    return detector


def assess(images: Sequence[NDArray[np.uint8]], detector: str, *, progress: bool = False) -> list[tuple[str, ...]]:
    """The anomalies of each image; an empty tuple is a right one.

    Args:
        images: RGB arrays (H, W, 3) of uint8.
        detector: a name in DETECTORS, or NAME:ARGUMENT of one in PLUGINS.

    Raises:
        ValueError: no such detector, or an image that it cannot read.
        FileNotFoundError: a detector's network is missing.
    """
    look = find_detector(detector).look
    rows = tqdm(range(len(images)), desc=f"anatomy ({detector.partition(':')[0]})", disable=not progress)
    return [look(images[row]) for row in rows]
