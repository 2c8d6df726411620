"""How often images are anomalous, by group, prompt and kind of anomaly; and these rates in metric files.

An anomaly rate is the share of images with one anomaly or more, from 0 to 1, lower is better. Its Wilson interval takes
the images as independent, which over several prompts is too narrow (`statistics.paired_effect` resamples prompts). Use
ten images or more per rate: 0 of 10 still allows a rate of .28.

Rates are computed here once. Stage `measure` writes them; all that is compared, decided and shown reads them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from anomend.statistics.rate import Rate

Scope = Literal["group", "prompt", "kind"]

KEY = "anomaly_rate_intervals"
"""Of a metric file: the list of all rates. `dvc metrics diff` leaves lists out, so it stays readable."""
NO_DETECTOR = "no detector ran: measure.detector is none"


@dataclass(frozen=True, kw_only=True)
class AnomalyRate:
    """The anomaly rate of a group of prompts or of one prompt, or the rate of one kind of anomaly."""

    scope: Scope
    name: str
    """The group (`target`, `held_out`), the prompt, or the kind."""
    group: str
    """The group of prompts; `all` for a kind of anomaly."""
    rate: Rate | None
    """None where no detector ran."""

    def as_dict(self) -> dict[str, Any]:
        """The rate as an object of a metric file."""
        fields = {"group": self.group}
        if self.rate is not None:
            return fields | self.rate.as_dict()
        nothing = {"value": None, "k": 0, "n": 0, "ci_low": None, "ci_high": None}
        return fields | nothing | {"reason": NO_DETECTOR}


def anomaly_rates(images: pd.DataFrame, kinds: Sequence[str] = ()) -> list[AnomalyRate]:
    """Anomaly rates of a set of images: of its groups, then of its prompts, then of kinds of anomalies.

    Args:
        images: one row per image with `group`, `prompt`, `anomalous` (0 or 1; empty for all images where no detector
            ran) and `anomalies` (kinds separated by spaces).
        kinds: kinds to list even if no image shows them.

    Returns:
        The rates. A kind's rate counts the images of all groups. Where no detector ran, groups and prompts have no
        rate, and no kinds are listed.

    Raises:
        ValueError: a column is missing, there is no image, or `anomalous` contradicts `anomalies`.
    """
    missing = {"group", "prompt", "anomalous", "anomalies"} - set(images.columns)
    if missing or images.empty:
        raise ValueError(
            f"anomaly rates need images with group, prompt, anomalous, anomalies; missing: {sorted(missing)}"
        )
    if images["anomalous"].isna().all():
        return [*_rates_of("group", images), *_rates_of("prompt", images)]
    # pandas reads an empty cell of a CSV as NaN.
    shown = [tuple(str(anomalies).split()) for anomalies in images["anomalies"].fillna("")]
    if any(bool(anomalies) != bool(flag) for anomalies, flag in zip(shown, images["anomalous"], strict=True)):
        raise ValueError("`anomalous` is 1 for an image without anomalies, or 0 for one with some: measure it again")
    others = sorted({kind for anomalies in shown for kind in anomalies} - set(kinds))
    return [
        *_rates_of("group", images),
        *_rates_of("prompt", images),
        *(
            AnomalyRate(
                scope="kind", name=kind, group="all", rate=Rate.of(sum(kind in one for one in shown), len(shown))
            )
            for kind in (*kinds, *others)
        ),
    ]


def rate_metrics(rates: Sequence[AnomalyRate]) -> dict[str, Any]:
    """The rates as a metric file has them.

    Returns:
        `anomaly_rate_<group>`, each with a reason where no detector ran; `anomaly_rate` by prompt and `anomaly_kinds`
        by kind, whose keys have letters and digits only; and all rates with counts and intervals under `KEY`,
        by scope and name.

    Raises:
        ValueError: two prompts have the same key.
    """
    groups = {f"anomaly_rate_{rate.name}": rate.rate for rate in rates if rate.scope == "group"}
    metrics: dict[str, Any] = {key: rate.value if rate else None for key, rate in groups.items()}
    metrics |= {f"{key}_reason": NO_DETECTOR for key, rate in groups.items() if rate is None}
    scopes: tuple[tuple[Scope, str], ...] = (("prompt", "anomaly_rate"), ("kind", "anomaly_kinds"))
    for scope, key in scopes:
        if values := _by_key([rate for rate in rates if rate.scope == scope and rate.rate]):
            metrics[key] = values
    by_scope: dict[str, dict[str, Any]] = {}
    for each in rates:
        by_scope.setdefault(each.scope, {})[each.name] = each.as_dict()
    return metrics | {KEY: by_scope}


def read_rates(metrics: Mapping[str, Any]) -> list[AnomalyRate]:
    """The rates of a metric file, in the order in which they were computed.

    Args:
        metrics: the content of metrics/measure_base.json or metrics/measure_tuned.json.

    Raises:
        ValueError: the file was written before rates had intervals.
    """
    if KEY not in metrics:
        raise ValueError(f"the measured metrics have no {KEY}: run stage `measure` again")
    scopes = metrics[KEY]
    if isinstance(scopes, list):  # As earlier versions wrote them, and with them confirmations.
        rows = [(row["scope"], row["name"], row) for row in scopes]
    else:
        rows = [(scope, name, row) for scope, named in scopes.items() for name, row in named.items()]
    return [
        AnomalyRate(
            scope=scope, name=name, group=row["group"], rate=None if row["value"] is None else Rate.from_dict(row)
        )
        for scope, name, row in rows
    ]


def _rates_of(scope: Literal["group", "prompt"], images: pd.DataFrame) -> Iterator[AnomalyRate]:
    columns = ["group"] if scope == "group" else ["group", "prompt"]
    for names, anomalous in images.groupby(columns, sort=False)["anomalous"]:
        rate = None if anomalous.isna().all() else Rate.of(int(anomalous.sum()), len(anomalous))
        yield AnomalyRate(scope=scope, name=str(names[-1]), group=str(names[0]), rate=rate)


def _by_key(rates: Sequence[AnomalyRate]) -> dict[str, float]:
    values: dict[str, float] = {}
    for rate in rates:
        key = re.sub(r"\W+", "_", rate.name).strip("_")
        if key in values:
            raise ValueError(f"two prompts share the key {key!r}: word one of them differently, or drop one")
        if rate.rate is not None:
            values[key] = rate.rate.value
    return values
