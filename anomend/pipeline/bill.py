"""The bill of a run, before it runs: images, steps, model evaluations, disk, hours and dollars, by stage and in all."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anomend.params.params import Params
from anomend.pipeline.costs import Duration, PublishedSpeed, Record, duration
from anomend.pipeline.work import Work, work_of

SAMPLING = ("looks", "sample_base", "sample_tuned")
SELECTING = ("collect", "class_images", "losers")
"""Stages that sample the base until a detector has accepted enough images."""
HEAD = ("stage", "images", "steps", "model evaluations", "disk", "time", "by")


@dataclass(frozen=True, kw_only=True)
class Line:
    """One stage of a bill."""

    work: Work
    worst: Work
    """The most that it can become without failing."""
    duration: Duration
    usd: float = 0.0


def make_bill(
    params: Params,
    *,
    kept: Mapping[str, float],
    records: Sequence[Record],
    published: Sequence[PublishedSpeed],
    usd: Mapping[str, float] | None = None,
    stages: Collection[str] | None = None,
) -> list[Line]:
    """The bill of a run, one line per stage that has work.

    Args:
        params: the parameters in force.
        kept: see `work_of`.
        records: what stages took on this machine.
        published: what GPUs take.
        usd: dollars by stage.
        stages: those that would run; None: all.
    """
    usd = usd or {}
    expected, worst = work_of(params, kept=kept), work_of(params, kept=dict.fromkeys(SELECTING, 0.0))
    return [
        Line(
            work=work,
            worst=worst[stage],
            duration=duration(work, params, records=records, published=published),
            usd=usd.get(stage, 0.0),
        )
        for stage, work in expected.items()
        if (stages is None or stage in stages) and (work.images or work.model_evaluations or usd.get(stage))
    ]


def kept_shares(metrics: Path, params: Params) -> dict[str, float]:
    """The share of samples that the stages of `SELECTING` kept last time, with the same base and detector.

    Args:
        metrics: folder of the metric files.
        params: the parameters in force.
    """
    names = (params.collect.base.detector, params.class_images.detector, params.losers.detector)
    detectors = dict(zip(SELECTING, names, strict=True))
    shares = {}
    for stage, detector in detectors.items():
        try:
            content = json.loads((metrics / f"{stage}.json").read_text(encoding="utf-8"))
            same = content["provenance"]["base"] == params.base.name and content["provenance"]["detector"] == detector
            kept, sampled = _kept_and_sampled(stage, content)
            if same and sampled:
                shares[stage] = kept / sampled
        except (OSError, ValueError, KeyError):
            continue
    return shares


def _kept_and_sampled(stage: str, content: Mapping[str, Any]) -> tuple[int, int]:
    if stage != "collect":
        return content["images"], content["sampled"]
    kept = content["sources"]["base"]
    return kept, kept + content["left_out"].get("anomalous", 0)


def table(bill: Sequence[Line]) -> list[str]:
    """The bill as lines of text, with its sum."""
    rows = [HEAD, *(_row(line) for line in bill), _total(bill)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD) - 1)]
    return [
        "  ".join([*(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False)), row[-1]]).rstrip()
        for row in rows
    ]


def summary(bill: Sequence[Line]) -> str:
    """The bill in a sentence."""
    sampled = sum(line.work.images for line in bill if line.work.stage in SAMPLING)
    up_to = "up to " if any(line.work.at_most for line in bill) else ""
    times, unknown = total_seconds(bill)
    words = f"a whole run: {up_to}{sampled:,} samples, {_evaluations(bill):,} model evaluations, "
    words += f"{_size(_bytes(bill))} on disk"
    if times:
        words += f", about {in_words(times)}"
    return words + (
        f" (`make plan` says more; not known: {', '.join(unknown)})" if unknown else " (`make plan` says more)"
    )


def total_seconds(bill: Sequence[Line]) -> tuple[dict[str, float], list[str]]:
    """Seconds by machine, summed over the stages that are known, and the stages that are not."""
    times: dict[str, float] = {}
    for line in bill:
        for machine, seconds in line.duration.seconds.items():
            times[machine] = times.get(machine, 0.0) + seconds
    return times, [line.work.stage for line in bill if line.work.amounts and not line.duration.seconds]


def in_words(seconds: Mapping[str, float]) -> str:
    """Times by machine, such as `3.9 h on H100, 8.7 h on L40S`."""
    return ", ".join(_time(value) + ("" if name == "here" else f" on {name}") for name, value in seconds.items())


def _row(line: Line) -> tuple[str, ...]:
    work, worst = line.work, line.worst
    source = line.duration.source
    if line.usd:
        source = f"{source}; " if source else ""
        source += f"up to ${line.usd:.2f}"

    def up_to(words: str) -> str:
        return f"up to {words}" if words and work.at_most else words

    return (
        work.stage,
        up_to(_range(work.images, worst.images)),
        f"{work.steps:,}" if work.steps else "",
        up_to(_range(work.model_evaluations, worst.model_evaluations)),
        up_to(_size(work.disk_bytes)),
        up_to(in_words(line.duration.seconds)) or ("not known" if work.amounts else ""),
        source,
    )


def _total(bill: Sequence[Line]) -> tuple[str, ...]:
    times, unknown = total_seconds(bill)
    usd = sum(line.usd for line in bill)
    notes = [f"without {', '.join(unknown)}"] if unknown and times else []
    notes += [f"up to ${usd:.2f}"] if usd else []
    drawn = sum(line.work.images for line in bill if line.work.model_evaluations)
    return (
        "in all",
        f"{drawn:,} drawn",
        "",
        f"{_evaluations(bill):,}",
        _size(_bytes(bill)),
        in_words(times) or "not known",
        "; ".join(notes),
    )


def _evaluations(bill: Sequence[Line]) -> int:
    return sum(line.work.model_evaluations for line in bill)


def _bytes(bill: Sequence[Line]) -> int:
    return sum(line.work.disk_bytes for line in bill)


def _range(expected: int, worst: int) -> str:
    if not expected:
        return ""
    return f"{expected:,}" if worst == expected else f"{expected:,} to {worst:,}"


def _size(size: int) -> str:
    if not size:
        return ""
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.1f} MB"


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
