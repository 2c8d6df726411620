"""What a training step costs: against diffusers' own script, against the bare loop, and as steps and images grow.

    python -m studies.benchmarks.training --diffusers-script PATH --peer-python PATH [--write]

Run by hand, from the root of the project, on a machine that does nothing else; README.md of this folder says how to get
the script and its Python. Without them only our own costs are measured. `--write` writes studies/benchmarks/RESULTS.md.
"""

from __future__ import annotations

import argparse
import functools
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

from studies.benchmarks.contenders import Contender, Work, contenders, our_encoding, our_training
from studies.benchmarks.costs import Spread, StepCost, step_cost
from studies.benchmarks.processes import Command, Measure, Run, announced, environment
from studies.benchmarks.tables import Comparison, Scaling, report

RESULTS = Path("studies/benchmarks/RESULTS.md")


def prepare(scratch: Path, images: int, measured: Measure) -> tuple[Path, Run]:
    """Write base, images and encoded images; returns their folder and what our encoding cost."""
    folder = scratch / f"images_{images}"
    argv = [sys.executable, "-m", "studies.benchmarks.prepare", str(folder), "--project", str(Path.cwd())]
    argv += ["--images", str(images), "--class-images", "16"]
    measured(f"preparing {images} images", Command(argv, scratch))
    return folder, measured(f"encoding {images} images", our_encoding(folder))


def compare(
    chosen: list[Contender], short: int, long: int, repeats: int, label: str, measured: Measure
) -> dict[str, StepCost]:
    """Cost a step of each contender. They take turns, so that a machine that slows down slows all of them."""
    pairs: dict[str, list[tuple[Run, Run]]] = {contender.name: [] for contender in chosen}
    for contender in chosen:
        # Not counted: it fills the caches of files and of compiled code.
        measured(f"{label}, first run, {contender.name}", contender.command(1))
    for repeat in range(repeats):
        turn = repeat % len(chosen)
        for contender in chosen[turn:] + chosen[:turn]:
            runs = [
                measured(f"{label}, repeat {repeat + 1}, {contender.name}, {steps} steps", contender.command(steps))
                for steps in (short, long)
            ]
            pairs[contender.name].append((runs[0], runs[1]))
    return {name: step_cost(found, short, long) for name, found in pairs.items()}


def scale(
    scratch: Path, images: list[int], lengths: list[int], batch: int, repeats: int, measured: Measure
) -> list[Scaling]:
    """Cost a step of ours between successive run lengths, at several numbers of images."""
    scratch.mkdir()
    found = []
    for count in images:
        folder, encoding = prepare(scratch, count, measured)
        intervals: list[list[float]] = [[] for _ in lengths[1:]]
        peak = 0
        for repeat in range(repeats):
            runs = [
                measured(
                    f"{count} images, repeat {repeat + 1}, {steps} steps",
                    our_training(folder, Work(batch, False), steps),
                )
                for steps in lengths
            ]
            for index, values in enumerate(intervals):
                added = lengths[index + 1] - lengths[index]
                values.append((runs[index + 1].seconds - runs[index].seconds) / added)
            peak = max(peak, *(run.peak_bytes for run in runs))
        found.append(
            Scaling(
                images=count,
                intervals=[Spread(tuple(values)) for values in intervals],
                encoding_seconds=encoding.seconds,
                peak_bytes=peak,
            )
        )
    return found


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--diffusers-script", type=Path, help="examples/dreambooth/train_dreambooth_lora_sd3.py")
    parser.add_argument("--peer-python", type=Path, help="Python of the environment that can run it")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="of every contender")
    parser.add_argument("--batch", type=int, nargs="+", default=[4, 8], help="instance images per step")
    parser.add_argument("--prior-batch", type=int, nargs="*", default=[4], help="the same with class images")
    parser.add_argument("--images", type=int, default=16, help="instance images; a multiple of every batch")
    parser.add_argument("--steps", type=int, nargs=2, default=[20, 220], metavar=("SHORT", "LONG"))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--scaling-images", type=int, nargs="*", default=[5, 50, 500])
    parser.add_argument("--scaling-steps", type=int, nargs="+", default=[20, 120, 220, 320])
    parser.add_argument("--train", type=yaml.safe_load, default={}, help="changes to our recipe: '{compile: blocks}'")
    parser.add_argument("--scratch", type=Path, help="folder for working files; default: a temporary one")
    parser.add_argument("--write", action="store_true", help=f"write {RESULTS}")
    args = parser.parse_args()
    if (args.diffusers_script is None) != (args.peer_python is None):
        parser.error("--diffusers-script and --peer-python go together")
    uneven = [batch for batch in [*args.batch, *args.prior_batch] if args.images % batch]
    if uneven:
        # The script ends every epoch on a smaller batch then, and its steps would be less work than ours.
        parser.error(f"--images {args.images} is not a multiple of the batch {uneven[0]}")
    return args


def run(args: argparse.Namespace, scratch: Path) -> str:
    """Measure all costs; returns the report."""
    settings = environment(args.threads, scratch)
    measured = announced(settings)
    folder, encoding = prepare(scratch, args.images, measured)
    # Not resolved: a virtual environment's Python is a link, and what it links to does not know the environment.
    python = args.peer_python and args.peer_python.absolute()
    script = args.diffusers_script and args.diffusers_script.absolute()
    works = [Work(batch, False) for batch in args.batch] + [Work(batch, True) for batch in args.prior_batch]
    short, long = args.steps
    comparisons = []
    for work in works:
        chosen = contenders(prepared=folder, work=work, python=python, script=script, changes=args.train)
        costs = compare(chosen=chosen, short=short, long=long, repeats=args.repeats, label=str(work), measured=measured)
        comparisons.append(Comparison(str(work), costs, encoding))
    scaling = scale(
        scratch=scratch / "scaling",
        images=args.scaling_images,
        lengths=args.scaling_steps,
        batch=args.batch[0],
        repeats=args.repeats,
        measured=measured,
    )
    versions = functools.partial(installed, settings=settings)
    return report(
        args=args,
        comparisons=comparisons,
        scaling=scaling,
        ours=versions(sys.executable),
        peer=python and versions(python),
    )


def installed(python: str | Path, settings: dict[str, str]) -> str:
    """Versions of what matters in an environment."""
    code = (
        "import importlib.metadata as m, platform; names = ('torch', 'torchvision', 'diffusers', 'transformers', "
        "'peft', 'accelerate', 'datasets'); have = {d.metadata['Name'] for d in m.distributions()}; "
        "print('Python', platform.python_version() + ''.join(f', {n} {m.version(n)}' for n in names if n in have))"
    )
    return subprocess.run([python, "-c", code], env=settings, check=True, text=True, capture_output=True).stdout.strip()


def main() -> None:
    args = parse()
    with tempfile.TemporaryDirectory() as temporary:
        text = run(args, args.scratch.resolve() if args.scratch else Path(temporary))
    print(text)
    if args.write:
        RESULTS.write_text(text + "\n")


if __name__ == "__main__":
    main()
