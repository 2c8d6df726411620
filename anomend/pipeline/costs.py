"""How long a stage's work takes: by what this machine recorded, else by published seconds of GPUs, else unknown.

A record, `metrics/resources/NAME.json`, has the amount of work, its seconds and the parameters that it ran with
(`anomend.project.metric_files.record_cost`). It serves every run with the same base, resolution, precision and way of
training, whatever its number of images and steps.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from anomend.diffusion.bases import BASE_MODELS
from anomend.params.params import Params
from anomend.pipeline.work import Work
from anomend.project.hand_edited import read_table
from anomend.project.paths import RESOLVED, RUN_SETTINGS

TRIAL = "trial"
"""Name of the record of a timed trial."""
BASE = ("base.name", "base.local_folder", "base.resolution", "base.dtype", "base.quantise")
DECIDES_SPEED = {
    "sampling": BASE,
    "adapted": BASE,
    "encoding": BASE,
    "training": (
        *BASE,
        *(f"train.{key}" for key in ("method", "launcher", "micro_batch_size", "quantise_base")),
        *(f"train.{key}" for key in ("gradient_checkpointing", "compile")),
    ),
    "measuring": (
        "base.resolution",
        *(f"measure.{key}" for key in ("detector", "extractor", "further_extractors", "perceptual")),
    ),
}
"""By kind of work, the parameters that must be equal for a record to tell how fast it goes."""
FORWARD_SHARE = {False: 1 / 2, True: 1 / 3}
"""What a pass without gradient takes of a training pass, without and with gradient checkpointing, which does the pass
forward twice. The frozen base has no gradients of its weights, so a backward pass costs as much as a forward pass."""
REFERENCE = "sd3.5-medium"
"""The base whose published speeds are scaled to those that nobody has timed, or with fewer pixels only."""


@dataclass(frozen=True, kw_only=True)
class Record:
    """What one stage, or a trial, took."""

    name: str
    seconds: float
    work: Mapping[str, Mapping[str, Any]]
    """By kind of work: amount, seconds, device."""
    parameters: Mapping[str, Any]
    """By dotted key."""

    @property
    def rest(self) -> float:
        """Seconds that do not grow with the amount: loading, encoding texts, writing."""
        return max(0.0, self.seconds - sum(done["seconds"] for done in self.work.values()))

    def fits(self, kind: str, params: Mapping[str, Any]) -> bool:
        """Whether it tells how fast a kind of work goes with other parameters."""
        if not self.work.get(kind, {}).get("amount"):
            return False
        device, on_gpu = params["base.device"], self.work[kind]["device"] != "cpu"
        elsewhere = device != "auto" and (device == "cuda") != on_gpu
        return not elsewhere and all(self.parameters.get(key) == params[key] for key in DECIDES_SPEED[kind])


@dataclass(frozen=True, kw_only=True)
class _Rate:
    """Seconds per unit of one kind of work."""

    record: Record
    seconds: float
    device: str


@dataclass(frozen=True, kw_only=True)
class PublishedSpeed:
    """Seconds of one training step on a GPU, as others published them."""

    card: str
    base: str
    """In the table of bases."""
    parameters_billion: float
    resolution: int
    gradient_checkpointing: bool
    batch_size: int
    seconds_per_step: float


@dataclass(frozen=True, kw_only=True)
class Duration:
    """How long a stage takes."""

    seconds: Mapping[str, float]
    """By machine: "here", or a GPU's name. Empty: not known."""
    source: str
    """Where that is from, or how to learn it."""


def read_records(folder: Path) -> list[Record]:
    """The records in metrics/resources that say what work was done; others are left out."""
    records = []
    for path in sorted(folder.glob("*.json")):
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            parameters = content.get("parameters", {})
            values = flat(parameters.get(RESOLVED.name, {})) | flat(parameters.get(RUN_SETTINGS.name, {}))
            record = Record(name=path.stem, seconds=content["seconds"], work=content["work"], parameters=values)
        except (ValueError, KeyError, AttributeError):
            continue  # A broken one, or one of an earlier version.
        records.append(record)
    return records


def read_published(path: Path) -> list[PublishedSpeed]:
    """The table data/costs.csv.

    Raises:
        ValueError: it is missing or broken; the sentence names the line.
    """
    return [
        PublishedSpeed(
            card=line["card"],
            base=line["base"],
            parameters_billion=line.number_in("parameters_billion"),
            resolution=round(line.number_in("resolution")),
            gradient_checkpointing=line["gradient_checkpointing"].lower() == "true",
            batch_size=round(line.number_in("batch_size")),
            seconds_per_step=line.number_in("seconds_per_step"),
        )
        for line in read_table(path, [field.name for field in fields(PublishedSpeed)])
    ]


def duration(work: Work, params: Params, *, records: Sequence[Record], published: Sequence[PublishedSpeed]) -> Duration:
    """How long a stage takes.

    Args:
        work: what it does.
        params: the parameters in force.
        records: of this machine.
        published: of GPUs that others have.
    """
    if not work.amounts:
        return Duration(seconds={}, source="")
    values = flat(params.model_dump(mode="json"))
    rates = [_rate(kind, records, values) for kind in work.amounts]
    known = [rate for rate in rates if rate is not None]
    if len(known) == len(rates):
        used = [rate.record for rate in known]
        stage = next((record for record in used if record.name == _file_name(work.stage)), used[0])
        amounts = zip(work.amounts.values(), known, strict=True)
        seconds = stage.rest + sum(amount * rate.seconds for amount, rate in amounts)
        return Duration(seconds={"here": seconds}, source=_source(known))
    rows = _rows_for(params, published)
    if by_card := _published_seconds(work, params, rows):
        scaled = "" if rows[0].base == params.base.name else f" of {rows[0].base}, scaled"
        return Duration(seconds=by_card, source=f"published speeds{scaled}, docs/costs.md")
    return Duration(seconds={}, source="not known: TRIAL=1 would tell")


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested values by dotted keys."""
    leaves: dict[str, Any] = {}
    for key, value in values.items():
        leaves |= flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return leaves


def _file_name(stage: str) -> str:
    return stage.replace("@", "_")


def _rate(kind: str, records: Sequence[Record], params: Mapping[str, Any]) -> _Rate | None:
    """By the record with the most of this work; a trial's only where no stage has run."""
    fitting = [record for record in records if record.fits(kind, params)]
    if not fitting:
        # The LoRA adds little to a large base.
        return _rate("sampling", records, params) if kind == "adapted" else None

    def rank(record: Record) -> tuple[bool, int]:
        return record.name != TRIAL, record.work[kind]["amount"]

    record = max(fitting, key=rank)
    done = record.work[kind]
    return _Rate(record=record, seconds=done["seconds"] / done["amount"], device=done["device"])


def _source(rates: Sequence[_Rate]) -> str:
    names = " and ".join(dict.fromkeys("a trial" if rate.record.name == TRIAL else rate.record.name for rate in rates))
    return f"{names}, run here on {rates[0].device}"


def _published_seconds(work: Work, params: Params, rows: Sequence[PublishedSpeed]) -> dict[str, float]:
    """Seconds by GPU, scaled by the transformer's parameters and the pixels; empty where the table does not apply."""
    billions = BASE_MODELS[params.base.name].billions
    if billions is None or set(work.amounts) - {"sampling", "adapted", "training"}:
        return {}
    seconds: dict[str, float] = {}
    for card in dict.fromkeys(row.card for row in rows):
        passes = {}
        for row in rows:
            if row.card == card:
                size = 1.0 if row.base == params.base.name else billions / row.parameters_billion
                pixels = (params.base.resolution / row.resolution) ** 2
                passes[row.gradient_checkpointing] = size * pixels * row.seconds_per_step / row.batch_size
        training = passes.get(params.train.gradient_checkpointing)
        if training is None and work.training:
            continue
        plainest = min(passes)
        forward = FORWARD_SHARE[plainest] * passes[plainest]
        seconds[card] = (work.sampling + work.adapted) * forward + work.training * (training or 0)
    return seconds


def _rows_for(params: Params, published: Sequence[PublishedSpeed]) -> list[PublishedSpeed]:
    """Those of the base itself, else of `REFERENCE`.

    Those of fewer pixels do not count: a small image leaves a GPU partly idle, so that time does not grow with pixels.
    """
    own = [row for row in published if row.base == params.base.name and row.resolution >= params.base.resolution]
    return own or [row for row in published if row.base == REFERENCE]
