"""The finished run that a LoRA comes from, read from its files and checked to be one run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from anomend.diffusion.bases import BASE_MODELS, BaseModel
from anomend.diffusion.lora_folder import lora_sha256
from anomend.exporting.run_record import PICTURE_LINKS, check_files, check_links, check_parameters
from anomend.params.params import Params
from anomend.project.json_files import read_json
from anomend.project.metric_files import read_metrics
from anomend.project.yaml_files import read_yaml
from anomend.reporting.inputs import Metrics

LOCK, RESOLVED, PICTURE = "dvc.lock", "resolved/params.json", "report/side_by_side.png"


@dataclass(frozen=True, kw_only=True)
class FinishedRun:
    """The run that a card is about."""

    params: Params
    base: BaseModel
    train: Metrics
    """Content of metrics/train.json; likewise the next four."""
    compare: Metrics
    verdict: Metrics
    measure_base: Metrics
    measure_tuned: Metrics
    sampled: Metrics
    """Content of metrics/sample_tuned.json."""
    images_tuned: pd.DataFrame
    """The tuned model's images: prompt, group ("target" | "held_out" | "siblings"), seed."""


def read_finished_run(root: Path, lora: Path, params: Params) -> FinishedRun:
    """The run that made a LoRA.

    Args:
        root: the project.
        lora: the LoRA's folder.
        params: the resolved parameters of the project.

    Raises:
        FileNotFoundError, ValueError: a part of the run is missing, or belongs to another run.
    """
    lock, metrics = read_yaml(root / LOCK), root / "metrics"
    check_files(lock, root)
    check_parameters(lock, read_json(root / RESOLVED), ("train", "sample_base", "sample_tuned", "measure@tuned"))
    check_links(lock)
    train = read_metrics(metrics / "train.json")
    if train["lora_sha256"] != lora_sha256(lora):
        raise ValueError(f"{metrics / 'train.json'} is about another LoRA than {lora}: run `dvc checkout`")
    return FinishedRun(
        params=params,
        base=BASE_MODELS[params.base.name],
        train=train,
        compare=read_metrics(metrics / "compare.json"),
        verdict=read_metrics(metrics / "verdict.json"),
        measure_base=read_metrics(metrics / "measure_base.json"),
        measure_tuned=read_metrics(metrics / "measure_tuned.json"),
        sampled=read_metrics(metrics / "sample_tuned.json"),
        images_tuned=pd.read_csv(metrics / "plots" / "images_tuned.csv"),
    )


def checked_picture(root: Path) -> Path:
    """The report's picture of base and tuned samples, if it shows the samples that are there now.

    Raises:
        FileNotFoundError, ValueError: it is missing, or shows other samples.
    """
    lock = read_yaml(root / LOCK)
    check_links(lock, PICTURE_LINKS)
    check_files(lock, root, [("report", PICTURE)])
    return root / PICTURE
