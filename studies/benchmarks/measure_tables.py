"""The report of the benchmark of measures, in Markdown."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from anomend.project.metric_files import library_versions
from studies.benchmarks.costs import StepCost
from studies.benchmarks.tables import MIB, answer, processor, table

COST = ["s", "CPU s", "peak MiB", "before it, s"]


@dataclass(frozen=True)
class SetCost:
    """Within-set SSIM and PSNR of one set, by us and by scikit-image."""

    count: int
    side: int
    ours: StepCost
    theirs: StepCost
    differences: dict[str, float]


@dataclass(frozen=True)
class KernelCost:
    """A kernel distance of two sets of so many images each."""

    kernel: str
    count: int
    blocks: StepCost
    whole: StepCost | None
    difference: float | None
    """Relative."""


@dataclass(frozen=True)
class SecondRun:
    """Features of one set through a store: the run that fills it, and the next one."""

    count: int
    first: StepCost
    second: StepCost
    images_seen: tuple[int, int]
    """Images that the network saw in each of the two runs; the maximum over repeats."""
    same: bool
    """Whether both runs gave the same features."""


def cost_cells(cost: StepCost, digits: int = 2) -> list[str]:
    """Cells under COST."""
    peak = f"{cost.peak_bytes / MIB:.0f}"
    return [cost.seconds.show(digits), cost.cpu_seconds.show(digits), peak, f"{cost.once.median:.1f}"]


def set_section(found: SetCost) -> str:
    """Ours against scikit-image on each pair."""
    pairs = found.count * (found.count - 1) // 2
    rows = [
        ["ours: SSIM, PSNR, published PSNR", *cost_cells(found.ours)],
        ["scikit-image on each pair: SSIM, PSNR", *cost_cells(found.theirs)],
    ]
    ratio, cpu = found.theirs.seconds.over(found.ours.seconds), found.theirs.cpu_seconds.over(found.ours.cpu_seconds)
    worst = max(found.differences.values())
    differences = ", ".join(f"{name} {difference:.1e}" for name, difference in found.differences.items())
    return _section(
        f"SSIM and PSNR within a set: {found.count} images of {found.side} x {found.side}, {pairs} pairs",
        table(["", *COST], rows),
        f"At least 8 times faster by CPU seconds: {answer(cpu.median >= 8, _measured(found.ours))}, {cpu.show(1)}"
        f" times; {ratio.show(1)} by seconds",
        f"The same values to 1e-6: {answer(worst <= 1e-6)}; differences: {differences}",
    )


def pair_section(count: int, side: int, cost: StepCost) -> str:
    """All pairs of many small images."""
    pairs, repeats = count * (count - 1) // 2, len(cost.seconds.values)
    wall = cost.seconds.median
    return _section(
        f"All pairs of {count:,} images of {side} x {side}: SSIM, PSNR and published PSNR, {pairs:,} pairs,"
        f" {repeats} repeat(s)",
        table(["", *COST], [["ours", *cost_cells(cost)]]),
        f"Under a minute of one core (CPU seconds): {answer(max(cost.cpu_seconds.values) < 60, _measured(cost))};"
        f" {'under' if wall < 60 else 'over'} a minute by the clock in this run",
    )


def feature_section(counts: Sequence[int], costs: Sequence[StepCost]) -> str:
    """Cost an image between successive sizes of a set; flat means linear."""
    rows = [
        [f"images {few} to {many}", cost.seconds.show(4), cost.cpu_seconds.show(4), f"{cost.peak_bytes / MIB:.0f}"]
        for (few, many), cost in zip(pairwise(counts), costs, strict=True)
    ]
    ratio = costs[-1].cpu_seconds.over(costs[0].cpu_seconds)
    linear = answer(0.8 <= ratio.median <= 1.25, all(_measured(cost) for cost in costs))
    return _section(
        "Features of a set (efficientnet_lite0, 64 px)",
        table(["", "s an image", "CPU s an image", "peak MiB"], rows),
        f"Linear in the number of images: {linear}, the last images cost {ratio.show(2)} times the first ones' CPU"
        " seconds",
    )


def second_run_section(found: SecondRun) -> str:
    """The same features again, from the store."""
    rows = [
        ["first run, which loads the network", *cost_cells(found.first, 3)],
        ["second run", *cost_cells(found.second, 3)],
    ]
    seen, again = found.images_seen
    share = found.second.cpu_seconds.over(found.first.cpu_seconds)
    cost = (
        f"costs {share.show(3)} times the first one's CPU seconds"
        if _measured(found.second)
        else "is lost in the noise"
    )
    return _section(
        f"Features of {found.count} images through the store (efficientnet_lite0, 64 px), and once more",
        table(["", *COST], rows),
        f"A second run on the same images does no feature work: {answer(again == 0, seen >= found.count)}, the network"
        f" saw {seen} images in the first run and {again} in the second",
        f"The same features: {answer(found.same)}",
        f"The second run {cost}",
    )


def copy_section(samples: int, instances: int, cost: StepCost, feature: StepCost) -> str:
    """Copies by structure, compared with the features of the same samples."""
    share = samples * feature.cpu_seconds.median / cost.cpu_seconds.median
    return _section(
        f"Copies by structure: {samples} samples of 64 x 64 against {instances} instance images",
        table(["", *COST], [["ours", *cost_cells(cost, 3)]]),
        f"The features of these samples cost {share:.0f} times its CPU seconds",
    )


def kernel_section(found: Sequence[KernelCost]) -> str:
    """Blocks by size, and whole matrices where they were tried."""
    rows, claims = [], []
    for item in found:
        rows.append([f"{item.kernel}, {item.count:,} images a set, blocks", *cost_cells(item.blocks)])
        if item.whole is not None and item.difference is not None:
            rows.append([f"{item.kernel}, {item.count:,} images a set, whole matrices", *cost_cells(item.whole)])
            claims.append(
                f"{item.kernel}, {item.count:,}: the value of the whole matrices to 1e-9:"
                f" {answer(item.difference <= 1e-9)}, relative difference {item.difference:.1e}"
            )
    largest = max(found, key=lambda item: (item.count, item.blocks.peak_bytes))
    needed = 3 * 8 * largest.count**2
    claims.append(
        f"{largest.count:,} images a set in bounded memory: {answer(largest.blocks.peak_bytes < needed / 4)}, peak"
        f" {largest.blocks.peak_bytes / MIB:.0f} MiB, features included; three whole matrices alone are"
        f" {needed / MIB:,.0f} MiB"
    )
    repeats = len(found[-1].blocks.seconds.values)
    title = f"Kernel distances of two sets, 1,024 features an image, {repeats} repeat(s)"
    return _section(title, table(["", *COST], rows), *claims)


def head(threads: int, repeats: int) -> str:
    """What was measured, with what, on what."""
    versions = library_versions("numpy", "scipy", "scikit-image", "pillow", "torch")
    installed = ", ".join(f"{name} {version}" for name, version in versions.items())
    return (
        "# What measuring costs\n\n"
        "Written by `python -m studies.benchmarks.measures --write`. Costs are differences of whole processes: one"
        " that does the work, and one that only imports and reads, whose cost is in `before it`. Peak memory is the"
        " largest resident set of the process."
        f" Median (least .. most) of {repeats} repeats where no other number is given;"
        " ratios are taken repeat by repeat. Where seconds and CPU seconds disagree the machine was busy, and CPU"
        " seconds are the number to read.\n\n"
        f"{processor()}, {threads} thread(s), {platform.system()}. Python {platform.python_version()}, {installed}."
    )


def _section(title: str, rows: str, *claims: str) -> str:
    return f"## {title}\n\n{rows}\n\n" + "\n".join(f"- {claim}" for claim in claims)


def _measured(cost: StepCost) -> bool:
    return min(cost.cpu_seconds.values) > 0
