"""How often images are anomalous, by group, prompt and kind of anomaly.

An anomaly rate is the share of images with one anomaly or more, from 0 to 1, lower is better; its Wilson interval takes
the images as independent, which over several prompts is too narrow (`statistics.paired_effect` resamples prompts). Some
ten images a rate are the least: 0 of 10 still allows a rate of .28.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import pandas as pd

from anomend.statistics import wilson_interval


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
