"""A project folder with a finished run: a small LoRA trained here, the committed results, and DVC's record of both."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
import yaml

from anomend.diffusion.bases import BASE_MODELS
from anomend.diffusion.lora import add_lora, save_lora
from anomend.exporting.finished_run import FinishedRun
from anomend.project.metric_files import read_metrics, write_metrics
from tests.conftest import ROOT
from tests.diffusion.tiny import tiny_transformer
from tests.parameters import params_of, write_params

IMAGES = [f"metrics/plots/images_{model}.csv" for model in ("base", "tuned")]
MEASURED = [f"metrics/measure_{model}.json" for model in ("base", "tuned")]
SAMPLED = [f"metrics/sample_{model}.json" for model in ("base", "tuned")]
RESULTS = ["metrics/compare.json", "metrics/verdict.json", *IMAGES, *MEASURED, *SAMPLED]


def train_lora(folder: Path, **kind: Any) -> str:
    """A LoRA far from zero; returns its SHA-256."""
    transformer = tiny_transformer()
    torch.manual_seed(1)
    for parameter in add_lora(transformer, rank=2, alpha=4, target_modules=["to_q", "to_v"], **kind):
        torch.nn.init.normal_(parameter.data)
    return save_lora(transformer, folder)


def write_train_metrics(project: Path, **kind: Any) -> None:
    """Train into the project's models/lora, and write its metrics and record."""
    metrics = {"lora_sha256": train_lora(project / "models/lora", **kind), "steps": 500, "kept_step": 200}
    provenance = {"n": 20, "base": "mini", "base_weights": "sha256:abc"}
    write_metrics(project / "metrics/train.json", metrics | {"stopped_early": True}, provenance)
    write_lock(project)


def write_lock(project: Path, change: Callable[[dict[str, Any]], None] = lambda lock: None) -> None:
    """dvc.lock as `dvc repro` would leave it, then changed."""
    resolved = json.loads((project / "resolved/params.json").read_text())

    def entries(*paths: str) -> list[dict[str, str]]:
        files = {path: project / path for path in paths}
        md5 = {
            path: hashlib.md5(file.read_bytes()).hexdigest() if file.is_file() else f"{path}.dir"
            for path, file in files.items()
        }
        return [{"path": path, "hash": "md5", "md5": md5[path]} for path in paths]

    def stage(deps: list[str], outs: list[str], params: dict[str, Any] | None = None) -> dict[str, Any]:
        record: dict[str, Any] = {"deps": entries(*deps), "outs": entries(*outs)}
        return record | ({"params": {"resolved/params.json": params}} if params else {})

    sampled = {"sample": resolved["sample"], "prompts": resolved["prompts"], "base": resolved["base"]}
    trained = {"train": resolved["train"], "prompts.target": resolved["prompts"]["target"]}
    base, tuned = "data/samples/base", "data/samples/tuned"
    lock = {
        "schema": "2.0",
        "stages": {
            "train": stage([], ["models/lora", "metrics/train.json"], trained),
            "sample_base": stage([], [base, SAMPLED[0]], sampled),
            "sample_tuned": stage(["models/lora"], [tuned, SAMPLED[1]], sampled),
            "measure@base": stage(SAMPLED[:1], [IMAGES[0], MEASURED[0]]),
            "measure@tuned": stage(SAMPLED[1:], [IMAGES[1], MEASURED[1]], {"measure": resolved["measure"]}),
            "compare": stage([*IMAGES, *MEASURED, *SAMPLED], ["metrics/compare.json"]),
            "verdict": stage(["metrics/compare.json"], ["metrics/verdict.json"]),
            "report": stage(SAMPLED, ["report/side_by_side.png"]),
        },
    }
    change(lock)
    (project / "dvc.lock").write_text(yaml.safe_dump(lock))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, raw_params: dict[str, Any]) -> Path:
    """The working directory of the test."""
    for name in (*RESULTS, "report/side_by_side.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, tmp_path / name)
    write_params(tmp_path, params_of(raw_params))
    write_train_metrics(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def make_run(raw_params: dict[str, Any]) -> Callable[..., FinishedRun]:
    """The committed run with changes: sections of the parameters, and the name of the base as its licence has it."""

    def make(base: str = "mini", **sections: dict[str, Any]) -> FinishedRun:
        for section, changes in sections.items():
            raw_params[section] |= changes
        compare, verdict = (read_metrics(ROOT / "metrics" / f"{name}.json") for name in ("compare", "verdict"))
        train = {"lora_sha256": "ab12", "steps": 250, "kept_step": 200, "stopped_early": True}
        train |= {"provenance": {"n": 20, "base_weights": "sha256:abc"}}
        params = params_of(raw_params)
        return FinishedRun(
            params=params,
            base=BASE_MODELS[base],
            train=train,
            compare=compare,
            verdict=verdict,
            measure_base=read_metrics(ROOT / MEASURED[0]),
            measure_tuned=read_metrics(ROOT / MEASURED[1]),
            sampled=read_metrics(ROOT / SAMPLED[1]),
            images_tuned=pd.read_csv(ROOT / IMAGES[1]),
        )

    return make
