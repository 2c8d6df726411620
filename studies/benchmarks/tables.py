"""The report of the training benchmark, in Markdown."""

from __future__ import annotations

import argparse
import hashlib
import platform
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from studies.benchmarks.costs import Spread, StepCost
from studies.benchmarks.processes import Run

MIB = 2**20


@dataclass(frozen=True)
class Comparison:
    """One work a step, by contender."""

    work: str
    costs: dict[str, StepCost]
    encoding: Run


@dataclass(frozen=True)
class Scaling:
    """Ours at one number of images."""

    images: int
    intervals: list[Spread]
    """Seconds a step between successive run lengths."""
    encoding_seconds: float
    peak_bytes: int


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def comparison_table(found: Comparison) -> str:
    """Ours, the bare loop and the script's modes; ratios are to ours, repeat by repeat."""
    ours = found.costs["ours"]
    rows = []
    for name, cost in found.costs.items():
        rows.append(
            [
                name,
                cost.seconds.show(4),
                cost.seconds.over(ours.seconds).show(2),
                f"{cost.cpu_seconds.median:.4f}",
                cost.cpu_seconds.over(ours.cpu_seconds).show(2),
                f"{cost.peak_bytes / MIB:.0f}",
                f"{cost.once.median:.1f}",
            ]
        )
    peak = f"{found.encoding.peak_bytes / MIB:.0f}"
    rows.append(["ours, encoding before it", "", "", "", "", peak, f"{found.encoding.seconds:.1f}"])
    head = ["", "s a step", "of ours", "CPU s a step", "of ours", "peak MiB", "s once"]
    return f"### {found.work} a step\n\n{table(head, rows)}\n\n{claims(found)}"


SAME_WORK = "diffusers, captions"
"""The mode that trains what ours trains: each image under its own caption."""


def summary(comparisons: Sequence[Comparison]) -> str:
    """The claims at a glance: time against the bare loop, time and memory against the script doing the same."""
    rows = []
    for found in comparisons:
        bare, peer = found.costs["bare loop"], found.costs.get(SAME_WORK)
        for name, ours in found.costs.items():
            if not name.startswith("ours"):
                continue
            row = [found.work, name, ours.seconds.over(bare.seconds).show(2)]
            if peer:
                peak = max(ours.peak_bytes, found.encoding.peak_bytes)
                row += [peer.seconds.over(ours.seconds).show(2), f"{peak / peer.peak_bytes:.2f}"]
            rows.append(row)
    head = ["a step", "", "time, of the bare loop", f"times faster than {SAME_WORK}", "peak memory, of its"]
    return table(head if SAME_WORK in comparisons[0].costs else head[:3], rows)


def claims(found: Comparison) -> str:
    """One line per claim: whether it holds; and how fast any trainer could be."""
    bare = found.costs["bare loop"]
    peers = {name: cost for name, cost in found.costs.items() if name.startswith("diffusers")}
    lines = []
    for name, ours in found.costs.items():
        if not name.startswith("ours"):
            continue
        over = ours.seconds.over(bare.seconds)
        steady = ours.measured and bare.measured
        lines.append(
            f"- {name}, at most 10 % over the bare loop: {answer(over.median <= 1.1, steady)}, {over.show(2)} of it"
        )
        peak = max(ours.peak_bytes, found.encoding.peak_bytes)
        for peer, cost in peers.items():
            ratio = cost.seconds.over(ours.seconds)
            faster = answer(ratio.median >= 2, ours.measured and cost.measured)
            lines.append(f"- {name}, at least 2 times faster than {peer}: {faster}, {ratio.show(2)} times")
            memory = f"{peak / MIB:.0f} against {cost.peak_bytes / MIB:.0f} MiB"
            lines.append(f"- {name}, peak memory not above {peer}: {answer(peak <= cost.peak_bytes)}, {memory}")
    for peer, cost in peers.items():
        lines.append(f"- the bare loop alone against {peer}: {cost.seconds.over(bare.seconds).show(2)} times faster")
    return "\n".join(lines)


def answer(holds: bool, measured: bool = True) -> str:
    """The verdict on a claim."""
    if not measured:
        return "**not decided** (the steps are lost in the noise: longer --steps)"
    return "**holds**" if holds else "**does not hold**"


def scaling_table(found: Sequence[Scaling], lengths: Sequence[int]) -> str:
    """Seconds a step by run length and number of images; flat in both directions means linear cost."""
    spans = [f"{a} to {b}" for a, b in pairwise(lengths)]
    rows = [
        [
            str(item.images),
            *(spread.show(4) for spread in item.intervals),
            item.intervals[-1].over(item.intervals[0]).show(2),
            f"{item.encoding_seconds:.1f}",
            f"{item.peak_bytes / MIB:.0f}",
        ]
        for item in found
    ]
    head = ["images", *(f"s a step, steps {span}" for span in spans), "last / first", "encoding, s", "peak MiB"]
    lines = [table(head, rows)]
    if len(found) > 1:
        ends = [Spread(tuple(v for s in item.intervals for v in s.values)) for item in (found[0], found[-1])]
        lines.append(
            f"\n{found[-1].images} images against {found[0].images}: {ends[1].median / ends[0].median:.2f} times the "
            "seconds a step (medians over all spans and repeats)."
        )
    return "\n".join(lines)


def processor() -> str:
    """The model of the processor, where the system says."""
    try:
        match = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    except OSError:
        match = None
    return match.group(1) if match else platform.processor() or "unknown processor"


def report(
    args: argparse.Namespace,
    comparisons: Sequence[Comparison],
    scaling: Sequence[Scaling],
    ours: str,
    peer: str | None,
) -> str:
    """The whole report."""
    parts = [
        "# What a training step costs",
        "Written by `python -m studies.benchmarks.training --write`; README.md says what is compared and what is not.",
        f"{processor()}, {args.threads} thread(s) for each contender, {platform.system()}. Miniature base, 64 px, CPU, "
        f"fp32, {args.images} images. Seconds a step: runs of {args.steps[0]} and of {args.steps[1]} steps, as whole "
        f"processes; difference over {args.steps[1] - args.steps[0]}; median (least .. most), "
        f"{args.repeats} repeat(s).",
        f"Ours: {ours}; {f'train: {args.train}' if args.train else 'the default recipe'}.",
    ]
    if peer:
        text = args.diffusers_script.read_bytes()
        needed = re.search(rb'check_min_version\("(.+?)"\)', text)
        parts.append(
            f"diffusers' script: {peer}; written for diffusers {needed.group(1).decode() if needed else 'unknown'}, "
            f"SHA-256 `{hashlib.sha256(text).hexdigest()[:16]}`, unmodified."
        )
    parts += ["## In short", summary(comparisons)]
    parts += ["## Against the bare loop" + (" and diffusers' script" if peer else "")]
    parts += [comparison_table(found) for found in comparisons]
    if scaling:
        batch = comparisons[0].work
        parts += [f"## Ours as steps and images grow, {batch} a step", scaling_table(scaling, args.scaling_steps)]
    return "\n\n".join(parts)
