"""What measuring costs: within-set SSIM and PSNR, kernel distances, all pairs of many images, features, copies, and the
same features a second time.

    python -m studies.benchmarks.measures [--write]

Run by hand, from the root of the project, on a machine that does nothing else. Every cost is that of a whole process
that does its work some times, less that of one which only imports and reads; both run one after the other. `--write`
writes studies/benchmarks/MEASURES.md.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from studies.benchmarks.costs import StepCost, step_cost
from studies.benchmarks.measure_tables import (
    KernelCost,
    SecondRun,
    SetCost,
    copy_section,
    feature_section,
    head,
    kernel_section,
    pair_section,
    second_run_section,
    set_section,
)
from studies.benchmarks.processes import Command, Measure, Run, announced, environment

RESULTS = Path("studies/benchmarks/MEASURES.md")


@dataclass(frozen=True)
class Bench:
    """How a work is run and measured."""

    scratch: Path
    measured: Measure
    repeats: int

    def run(self, work: str, files: Sequence[Path], times: int) -> tuple[Run, dict[str, Any]]:
        """One process that does the work this many times, and its metrics."""
        out = self.scratch / "metrics.json"
        argv = [sys.executable, "-m", "studies.benchmarks.measure_works", work, str(out), "--repeat", str(times)]
        label = f"{work} x {times}, {', '.join(path.stem for path in files)}"
        found = self.measured(label, Command([*argv, *map(str, files)], self.scratch))
        return found, json.loads(out.read_text())

    def cost(self, work: str, files: Sequence[Path], times: int = 1) -> tuple[StepCost, dict[str, Any]]:
        """Cost of the work, and its metrics."""
        return self.costs([(work, files, times)])[0]

    def costs(self, works: Sequence[tuple[str, Sequence[Path], int]]) -> list[tuple[StepCost, dict[str, Any]]]:
        """Costs of works that take turns, so that a machine that slows down slows all of them."""
        pairs: list[list[tuple[Run, Run]]] = [[] for _ in works]
        metrics: list[dict[str, Any]] = [{} for _ in works]
        for _ in range(self.repeats):
            for index, (work, files, times) in enumerate(works):
                idle, _ = self.run(work, files, 0)
                busy, metrics[index] = self.run(work, files, times)
                pairs[index].append((idle, busy))
        found = [step_cost(own, 0, work[2]) for own, work in zip(pairs, works, strict=True)]
        return list(zip(found, metrics, strict=True))


def pictures(path: Path, count: int, side: int) -> Path:
    """Write pictures of large soft shapes with some noise, (count, side, side, 3) of uint8."""
    rng = np.random.default_rng(side)
    made: NDArray[np.uint8] = np.empty((count, side, side, 3), dtype=np.uint8)
    for picture in made:
        shapes = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8))
        soft = np.asarray(shapes.resize((side, side), Image.Resampling.BICUBIC), dtype=np.float64)
        picture[:] = np.clip(soft + rng.normal(scale=6, size=soft.shape), 0, 255)
    np.save(path, made)
    return path


def vectors(path: Path, count: int, dimension: int, shift: float) -> Path:
    """Write normal features, (count, dimension) of float32."""
    rng = np.random.default_rng([count, dimension, int(100 * shift)])
    np.save(path, (rng.normal(size=(count, dimension)) + shift).astype(np.float32))
    return path


def sets(bench: Bench, count: int, side: int) -> SetCost:
    """SSIM and PSNR within one set, against scikit-image on each pair."""
    files = [pictures(bench.scratch / f"{count}_images_of_{side}.npy", count, side)]
    (ours, found), (theirs, expected) = bench.costs([("set_ours", files, 3), ("set_scikit_image", files, 1)])
    _, published = bench.run("set_published", files, 1)
    expected |= published
    return SetCost(
        count=count,
        side=side,
        ours=ours,
        theirs=theirs,
        differences={name: abs(found[name] - expected[name]) for name in expected},
    )


def feature_costs(bench: Bench, counts: Sequence[int]) -> list[StepCost]:
    """Cost an image between successive sizes of a set."""
    files = [pictures(bench.scratch / f"{count}_images_of_64.npy", count, 64) for count in counts]
    runs = [[bench.run("features", [path], 1)[0] for path in files] for _ in range(bench.repeats)]
    return [
        step_cost([(row[index], row[index + 1]) for row in runs], few, many)
        for index, (few, many) in enumerate(pairwise(counts))
    ]


def second_run(bench: Bench, images: Path) -> SecondRun:
    """Features through an empty store, and through the full one."""
    own = replace(bench, scratch=bench.scratch / "second_run")
    runs: list[list[tuple[Run, Run]]] = [[], []]
    metrics: list[list[dict[str, Any]]] = [[], []]
    for _ in range(own.repeats):
        shutil.rmtree(own.scratch, ignore_errors=True)
        own.scratch.mkdir(parents=True)
        for turn in (0, 1):
            idle, _ = own.run("features_stored", [images], 0)
            busy, found = own.run("features_stored", [images], 1)
            runs[turn].append((idle, busy))
            metrics[turn].append(found)
    first, second = (step_cost(pairs, 0, 1) for pairs in runs)
    seen, again = (max(int(found["images_seen"]) for found in turn) for turn in metrics)
    same = len({found["sha256"] for turn in metrics for found in turn}) == 1
    return SecondRun(
        count=len(np.load(images, mmap_mode="r")), first=first, second=second, images_seen=(seen, again), same=same
    )


def kernels(bench: Bench, counts: Sequence[int], whole: int, dimension: int) -> list[KernelCost]:
    """Kernel distances in blocks, and from whole matrices up to `whole` images per set."""
    found = []
    for count in counts:
        files = [
            vectors(path=bench.scratch / f"{count}_{s}.npy", count=count, dimension=dimension, shift=s)
            for s in (0.0, 0.05)
        ]
        for kernel in ("polynomial", "gaussian"):
            works = [(f"{kernel}_blocks", files, 1)] + ([(f"{kernel}_whole", files, 1)] if count <= whole else [])
            blocks, *rest = bench.costs(works)
            other = rest[0] if rest else None
            difference = abs(blocks[1]["distance"] / other[1]["distance"] - 1) if other else None
            found.append(
                KernelCost(
                    kernel=kernel,
                    count=count,
                    blocks=blocks[0],
                    whole=other[0] if other else None,
                    difference=difference,
                )
            )
    return found


def sections(args: argparse.Namespace, scratch: Path) -> Iterator[str]:
    """The report, each section as soon as it is measured."""
    bench = Bench(scratch, announced(environment(args.threads, scratch)), args.repeats)
    yield head(args.threads, args.repeats)
    yield set_section(sets(bench, 10, 1024))
    large = replace(bench, repeats=args.large_repeats)
    yield kernel_section(kernels(bench=large, counts=args.kernel_images, whole=args.whole, dimension=1024))
    many = pictures(scratch / f"{args.pair_images}_images_of_64.npy", args.pair_images, 64)
    yield pair_section(args.pair_images, 64, large.cost("set_ours", [many])[0])
    features = feature_costs(bench, args.feature_images)
    yield feature_section(args.feature_images, features)
    samples = pictures(scratch / "900_samples_of_64.npy", 900, 64)
    instances = pictures(scratch / "20_instances_of_64.npy", 20, 64)
    yield copy_section(
        samples=900, instances=20, cost=bench.cost("copies", [samples, instances], 5)[0], feature=features[-1]
    )
    yield second_run_section(second_run(bench, samples))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--feature-images", type=int, nargs="+", default=[96, 416, 736])
    parser.add_argument("--pair-images", type=int, default=1000)
    parser.add_argument("--kernel-images", type=int, nargs="+", default=[2000, 10_000])
    parser.add_argument("--large-repeats", type=int, default=3, help="of kernel distances and of all pairs")
    parser.add_argument("--whole", type=int, default=2000, help="images per set up to which whole matrices are tried")
    parser.add_argument("--scratch", type=Path, help="folder for working files; default: a temporary one")
    parser.add_argument("--write", action="store_true", help=f"write {RESULTS}")
    return parser.parse_args()


def main() -> None:
    args = parse()
    with tempfile.TemporaryDirectory() as temporary:
        written: list[str] = []
        for section in sections(args, args.scratch.resolve() if args.scratch else Path(temporary)):
            print(section, end="\n\n", flush=True)
            written.append(section)
            if args.write:
                RESULTS.write_text("\n\n".join(written) + "\n")


if __name__ == "__main__":
    main()
