"""The processes that are compared. All train the same adapter on the same images, batch and number of steps."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anomend.params.profiles import validated
from anomend.pipeline.resolved_files import resolved_files, write_files
from anomend.project.yaml_files import read_yaml
from studies.benchmarks.processes import Command

ROOT = Path(__file__).resolve().parents[2]
PROMPT = "lying on the grass"
CLASS_PROMPT = "standing on the street"
CLIP_TOKENS, T5_TOKENS = 77, 1


@dataclass(frozen=True)
class Work:
    """What one optimizer step does."""

    batch: int
    """Instance images per step."""
    prior: bool
    """As many class images again, for prior preservation."""

    def __str__(self) -> str:
        return f"{self.batch} + {self.batch} class images" if self.prior else f"{self.batch} images"


@dataclass(frozen=True)
class Contender:
    """One line of the comparison."""

    name: str
    command: Callable[[int], Command]
    """The process for a number of optimizer steps."""


def read_params(prepared: Path) -> dict[str, Any]:
    """The parameters of the default profile, as `studies.benchmarks.prepare` resolved them."""
    return read_yaml(prepared / "parameters.yaml")


def our_params(prepared: Path, work: Work, steps: int, changes: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The default recipe with this much work per step.

    All that it does beyond the compared work stays on, except checkpoints and evaluations, which the other side does
    not make within these steps either. `changes` replace parameters of the section `train`.
    """
    params = read_params(prepared)
    params["base"] |= {"local_folder": str(prepared / "base"), "max_sequence_length": T5_TOKENS, "device": "cpu"}
    params["encode"] |= {"flip": False, "crops": 0}
    train = params["train"]
    train |= {"batch_size": work.batch, "class_batch_size": work.batch if work.prior else 0, "steps": steps}
    train |= {"lr_scheduler": "constant", "warmup_steps": 0, "checkpoint_every": steps}
    if "monitor" in train:
        train["monitor"] |= {"every": 0, "patience": 0, "keep": "last"}
    train |= changes or {}
    return params


def workspace(folder: Path, params: dict[str, Any]) -> Path:
    """A working directory for our stages, with its parameters."""
    (folder / "metrics").mkdir(parents=True, exist_ok=True)
    write_files(resolved_files(ROOT, validated(params)), folder)
    return folder


def our_encoding(prepared: Path) -> Command:
    """Stage `encode`: once for all of our trainings on these images."""
    folder = workspace(prepared / "ours", our_params(prepared, Work(1, True), 1))
    (folder / "data").mkdir(exist_ok=True)
    for name, source in (("instance", "images"), ("class_images", "class_images")):
        if not (folder / "data" / name).exists():
            shutil.copytree(prepared / source, folder / "data" / name)
    return Command([sys.executable, "-m", "stages.encode"], folder)


def our_training(prepared: Path, work: Work, steps: int, changes: Mapping[str, Any] | None = None) -> Command:
    """Stage `train`, from encoded data on disk to the saved LoRA."""
    folder = workspace(prepared / "ours", our_params(prepared=prepared, work=work, steps=steps, changes=changes))
    return Command([sys.executable, "-m", "stages.train"], folder)


def bare_loop(prepared: Path, work: Work, steps: int) -> Command:
    """Forward, backward and optimizer step on tensors that are in memory."""
    train = read_params(prepared)["train"]
    folder = prepared / "bare"
    folder.mkdir(exist_ok=True)
    argv = [sys.executable, "-m", "studies.benchmarks.bare_loop", str(prepared / "base" / "transformer")]
    argv += ["--batch", str(work.batch * (2 if work.prior else 1)), "--steps", str(steps)]
    argv += ["--tokens", str(CLIP_TOKENS + T5_TOKENS), "--rank", str(train["rank"]), "--targets"]
    return Command(argv + train["target_modules"], folder)


def diffusers_training(
    prepared: Path, python: Path, script: Path, work: Work, steps: int, *, captions: bool, cache_latents: bool
) -> Command:
    """diffusers' train_dreambooth_lora_sd3.py, unmodified.

    Args:
        captions: a caption for each image; else one prompt for all of them, which the script encodes once.
        cache_latents: encode the images once instead of in every step.
    """
    train = read_params(prepared)["train"]
    folder = prepared / "peer"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    options: dict[str, Any] = {
        "pretrained_model_name_or_path": prepared / "base",
        "output_dir": "output",
        "resolution": 64,
        "rank": train["rank"],
        "lora_layers": ",".join(train["target_modules"]),
        "learning_rate": train["learning_rate"],
        "adam_weight_decay": train["weight_decay"],
        "max_grad_norm": train["max_grad_norm"],
        "lr_scheduler": "constant",
        "lr_warmup_steps": 0,
        "max_sequence_length": T5_TOKENS,
        "mixed_precision": "no",
        "precondition_outputs": 0,
        "seed": 0,
        "train_batch_size": work.batch,
        "max_train_steps": steps,
        "checkpointing_steps": steps + 1,
        "instance_prompt": PROMPT,
    }
    if captions:
        options |= {"dataset_name": prepared / "images", "image_column": "image", "caption_column": "text"}
    else:
        options |= {"instance_data_dir": prepared / "plain"}
    argv = [str(python), str(script)]
    if work.prior:
        argv.append("--with_prior_preservation")
        count = sum(1 for _ in (prepared / "class").iterdir())
        options |= {"class_data_dir": prepared / "class", "class_prompt": CLASS_PROMPT, "num_class_images": count}
    if cache_latents:
        argv.append("--cache_latents")
    return Command(argv + [part for name, value in options.items() for part in (f"--{name}", str(value))], folder)


def contenders(
    *, prepared: Path, work: Work, python: Path | None, script: Path | None, changes: Mapping[str, Any]
) -> list[Contender]:
    """Ours without and with `train.compile`, the bare loop, and diffusers' script in every mode that runs at this
    work; ours comes first."""
    found = [
        Contender("ours", lambda steps: our_training(prepared=prepared, work=work, steps=steps, changes=changes)),
        Contender(
            "ours, compiled",
            lambda steps: our_training(
                prepared=prepared, work=work, steps=steps, changes={**changes, "compile": "whole"}
            ),
        ),
        Contender("bare loop", lambda steps: bare_loop(prepared, work, steps)),
    ]
    if python is None or script is None:
        return found
    # With one prompt for all images, the script's prior preservation fails at more than one image per step.
    for captions in (True, False) if not work.prior else (True,):
        for cached in (False, True):
            name = ("diffusers, captions" if captions else "diffusers, one prompt") + (", cached" if cached else "")

            def command(steps: int, captions: bool = captions, cached: bool = cached) -> Command:
                return diffusers_training(
                    prepared=prepared,
                    python=python,
                    script=script,
                    work=work,
                    steps=steps,
                    captions=captions,
                    cache_latents=cached,
                )

            found.append(Contender(name, command))
    return found
