"""Run encode, train (killed, then resumed) and sample on a random base of true size, and measure what each costs; then
train by rewards.

Every stage is the pipeline's script, in a separate process and a separate folder.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from anomend.collecting.drawn_people import collect_drawn_people
from anomend.params.params import Params
from anomend.params.profiles import DEFAULT, merge, read_profile, validated
from anomend.pictures.image_sets import ImageFolderWriter
from anomend.pipeline.resolved_files import resolved_files, write_files
from anomend.project.metric_files import library_versions, read_metrics, write_metrics
from anomend.project.paths import METRICS, PROFILES
from anomend.project.slugs import slug
from anomend.project.yaml_files import read_yaml
from studies.rehearsal.child import ROOT, Child, run_child
from studies.rehearsal.random_base import SHAPES, parameter_counts
from studies.rehearsal.random_detector import write_random_detector

FIXTURE = Path(__file__).with_name("parameters.yaml")
"""What the rehearsal changes in the default parameters."""
REWARDS = {"images_per_prompt": 2, "passes": 1, "min_diversity": 0.0}
"""Rounds of two images, and of two steps of one image."""
ROUNDS = 2
IMAGES, SEED = 3, 0
SAVED = ".checkpoints/train/*/state-*.safetensors"


def write_base(base: Path, shapes: str, folder: Path) -> dict[str, Any]:
    """Write the random base unless it is there, and return what that cost when it was done."""
    noted = folder / f"random_base-{shapes}.json"
    if not (base / "model_index.json").exists():
        work = folder / "work"
        work.mkdir(parents=True, exist_ok=True)
        words = ["studies.rehearsal.random_base", str(base), "--shapes", shapes, "--seed", str(SEED)]
        noted.write_text(json.dumps(run_child("random_base", words, work).cost()))
    if noted.exists():
        metrics: dict[str, Any] = json.loads(noted.read_text())
        return metrics
    reason = "the base was there before this run"
    return {"seconds": None, "peak_memory_bytes": None, "reason": reason}


def write_inputs(work: Path, base: Path, changes: dict[str, Any]) -> Params:
    """Resolved parameters, instance images, and empty folders for the sets that the recipe does without."""
    shutil.rmtree(work, ignore_errors=True)
    for name in ("class_images", "losers"):
        (work / "data" / name).mkdir(parents=True)
    values = merge(read_profile(DEFAULT, ROOT / PROFILES), read_yaml(FIXTURE))
    values = merge(values, {"profile": "rehearsal", "base": {"local_folder": str(base)}})
    params = validated(merge(values, changes))
    write_files(resolved_files(ROOT, params), work)
    writer = ImageFolderWriter(work / "data" / "instance")
    size = (params.base.resolution, params.base.resolution)
    for index, drawn in enumerate(collect_drawn_people(params.prompts.target, IMAGES, SEED)):
        image = np.asarray(Image.fromarray(drawn.image).resize(size, Image.Resampling.BICUBIC))
        writer.add(f"{index:02d}_{slug(drawn.text)}.png", image, text=drawn.text, prompt=drawn.prompt)
    writer.close()
    return params


def rehearse(folder: Path, base: Path, shapes: str = "true", changes: dict[str, Any] | None = None) -> dict[str, Any]:
    """The whole sequence.

    Args:
        folder: working files and logs.
        base: where the random base is, or is written.
        shapes: key of `SHAPES`.
        changes: parameters to change.

    Returns:
        Metrics and `provenance` for metrics/rehearsal.json.

    Raises:
        ValueError: a stage failed, or the second training did not resume the first.
    """
    work = folder / "work"
    metrics: dict[str, Any] = {"random_base": write_base(base, shapes, folder)}
    params = write_inputs(work, base, changes or {})

    def stage(name: str, *words: str, kill_when: Callable[[], bool] | None = None) -> Child:
        print(f"{name} ...", flush=True)
        child = run_child(name=name, words=list(words), cwd=work, kill_when=kill_when)
        metrics[name] = child.cost()
        print(f"{name}: {child.seconds} s, {child.peak_memory_bytes / 2**30:.1f} GiB", flush=True)
        return child

    stage("encode", "stages.encode")
    stage("train_killed", "stages.train", kill_when=lambda: any(work.glob(SAVED)))
    if not any(line.startswith("resuming after step") for line in _lines(stage("train_resumed", "stages.train"))):
        raise ValueError(f"train began anew after a kill, although it had saved a checkpoint; see {folder}")
    stage("looks", "stages.looks")
    stage("sample", "stages.sample", "tuned")
    work = folder / "work_rewards"
    detector = write_random_detector(folder / "detector", SEED)
    rewards = {"train": {"method": "nft", "nft": REWARDS | {"detector": detector}, "steps": 2 * ROUNDS}}
    write_inputs(work, base, merge(changes or {}, rewards))
    stage("encode_for_rewards", "stages.encode")
    stage("train_by_rewards", "stages.train")
    if (rounds := read_metrics(work / METRICS / "train.json")["rounds"]) != ROUNDS:
        raise ValueError(f"training by rewards had {rounds} rounds, and {ROUNDS} were asked for; see {folder}")
    metrics["parameters"] = parameter_counts(SHAPES[shapes])
    metrics["provenance"] = {
        "shapes": shapes,
        "images": IMAGES,
        "steps": params.train.steps,
        "rounds": ROUNDS,
        "sampling_steps": params.sample.steps,
        "resolution": params.base.resolution,
        "dtype": params.base.dtype,
        "device": "cuda" if _sees_gpu(params.base.device) else "cpu",
        "cpu_count": os.cpu_count(),
        **library_versions("torch", "diffusers", "transformers"),
    }
    return metrics


def _lines(child: Child) -> list[str]:
    return child.output.replace("\r", "\n").splitlines()


def _sees_gpu(device: str) -> bool:
    import torch

    return device != "cpu" and torch.cuda.is_available()


def main() -> None:
    folder = ROOT / ".rehearsal"
    folder.mkdir(exist_ok=True)
    try:
        metrics = rehearse(folder, ROOT / "models" / "rehearsal")
    except ValueError as error:
        print(f"rehearsal: {error}", file=sys.stderr)
        sys.exit(1)
    write_metrics(ROOT / METRICS / "rehearsal.json", metrics, metrics.pop("provenance"))


if __name__ == "__main__":
    main()
