"""Anatomy: which images are anomalous, and how often, by group, prompt and kind.

An anomaly rate is the share of images with one anomaly or more, from 0 to 1, lower is better; its Wilson interval takes
the images as independent, which over several prompts is too narrow (`statistics.paired_effect` resamples prompts). Some
ten images a rate are the least: 0 of 10 still allows a rate of .28.

A detector maps one RGB image to its anomalies, such as ("missing_arm", "extra_leg"). Adding one is one entry in
DETECTORS; one that is told which model to run, as in `objects:MODEL@PIN`, is one in PLUGINS.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from importlib import import_module

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm import tqdm

from stages.measures.anatomy_detectors.detector import Detector
from stages.measures.anatomy_detectors.photographs import make_photographs, refuse_missing_networks
from stages.measures.statistics import wilson_interval
from stages.miniature import anatomy as miniature

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
    "objects": "stages.measures.anatomy_detectors.objects",
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


def anomaly_rates(images: pd.DataFrame, kinds: Sequence[str] = ()) -> pd.DataFrame:
    """Anomaly rates of a set of images.

    Args:
        images: one row an image with `group`, `prompt`, `anomalous` (0 or 1) and `anomalies` (kinds separated by
            spaces).
        kinds: kinds to list even where none occurs (`DETECTORS[name].kinds`).

    Returns:
        One row a rate with `scope` (group, prompt or kind), `name`, `group`, `anomalous`, `n`, `rate`, `ci_low` and
        `ci_high` (Wilson, 95%). For a kind, `anomalous` counts the images of all groups that show it, `group` is "all".

    Raises:
        ValueError: a column is missing, there is no image, or `anomalous` contradicts `anomalies`.
    """
    missing = {"group", "prompt", "anomalous", "anomalies"} - set(images.columns)
    if missing or images.empty:
        raise ValueError(
            f"anomaly rates need images with group, prompt, anomalous, anomalies; missing: {sorted(missing)}"
        )
    # An empty cell of a CSV comes back as NaN.
    found = [tuple(str(anomalies).split()) for anomalies in images["anomalies"].fillna("")]
    if any(bool(anomalies) != bool(flag) for anomalies, flag in zip(found, images["anomalous"], strict=True)):
        raise ValueError("`anomalous` is 1 for an image without anomalies, or 0 for one with some: measure it again")
    rows: list[tuple[str, str, str, int, int]] = []
    for group, part in images.groupby("group", sort=False)["anomalous"]:
        rows.append(("group", str(group), str(group), int(part.sum()), len(part)))
    for (owner, prompt), part in images.groupby(["group", "prompt"], sort=False)["anomalous"]:
        rows.append(("prompt", str(prompt), str(owner), int(part.sum()), len(part)))
    others = sorted({kind for anomalies in found for kind in anomalies} - set(kinds))
    for kind in (*kinds, *others):
        rows.append(("kind", kind, "all", sum(kind in anomalies for anomalies in found), len(found)))
    table = [(*row, row[3] / row[4], *wilson_interval(row[3], row[4])) for row in rows]
    return pd.DataFrame(table, columns=["scope", "name", "group", "anomalous", "n", "rate", "ci_low", "ci_high"])


def flat_figures(rates: pd.DataFrame) -> dict[str, float]:
    """The rates as keys of a metric file: `anomaly_rate_<group>`, `anomaly_rate.<prompt>`, `anomaly_kinds.<kind>`.

    Raises:
        ValueError: two prompts have the same key, since letters and digits alone count.
    """
    prefixes = {"group": "anomaly_rate_", "prompt": "anomaly_rate.", "kind": "anomaly_kinds."}
    figures: dict[str, float] = {}
    for scope, name, rate in zip(rates["scope"], rates["name"], rates["rate"], strict=True):
        key = prefixes[scope] + re.sub(r"\W+", "_", str(name)).strip("_")
        if key in figures:
            raise ValueError(f"two prompts share the key {key!r}: word one of them differently, or drop one")
        figures[key] = float(rate)
    return figures
