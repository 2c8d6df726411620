"""The checks read the record that DVC itself writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from anomend.exporting.run_record import check_files, check_links, check_parameters
from tests.clones import run

PIPELINE = """
stages:
  train:
    cmd: mkdir -p models/lora && cp resolved/params.json models/lora/weights && cp resolved/params.json train.json
    params: [{resolved/params.json: [train, prompts.target]}]
    outs: [models/lora]
    metrics: [{train.json: {cache: false}}]
  sample_tuned:
    cmd: mkdir -p samples && cp models/lora/weights samples/image
    deps: [models/lora]
    outs: [samples]
  measure:
    matrix: {model: [tuned]}
    cmd: cp samples/image ${item.model}.csv
    deps: [samples]
    outs: [{'${item.model}.csv': {cache: false}}]
"""
LINKS = [("train", "models/lora", "sample_tuned"), ("sample_tuned", "samples", "measure@tuned")]
FILES = [("train", "train.json"), ("measure@tuned", "tuned.csv")]


def dvc(*arguments: str) -> dict[str, Any]:
    """Run DVC; returns the record that it leaves."""
    run(Path.cwd(), "env", "DVC_NO_ANALYTICS=1", "dvc", *arguments)
    content: dict[str, Any] = yaml.safe_load(Path("dvc.lock").read_text()) if Path("dvc.lock").exists() else {}
    return content


def write_params(rank: int) -> dict[str, Any]:
    content = {"train": {"rank": rank, "alpha": 2.0}, "prompts": {"target": ["a"], "held_out": ["b"]}}
    Path("resolved").mkdir(exist_ok=True)
    Path("resolved/params.json").write_text(json.dumps(content))
    return content


@pytest.mark.slow
def test_a_run_is_told_from_a_mixture_by_dvcs_own_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("dvc.yaml").write_text(PIPELINE)
    first = write_params(4)
    dvc("init", "--no-scm")
    lock = dvc("repro")
    check_parameters(lock, first, ["train", "sample_tuned", "measure@tuned"])
    check_links(lock, LINKS)
    check_files(lock, tmp_path, FILES)

    second = write_params(8)
    with pytest.raises(ValueError, match=r"^train in resolved/params\.json is not what stage train ran with"):
        check_parameters(lock, second, ["train"])
    other = first | {"prompts": {"target": ["c"], "held_out": ["b"]}}
    with pytest.raises(ValueError, match=r"^prompts\.target in"):
        check_parameters(lock, other, ["train"])
    check_parameters(lock, first | {"prompts": {"target": ["a"], "held_out": ["c"]}}, ["train"])

    lock = dvc("repro", "train")
    check_parameters(lock, second, ["train"])
    with pytest.raises(ValueError, match="sample_tuned ran on another models/lora than stage train wrote"):
        check_links(lock, LINKS)
    check_links(dvc("repro"), LINKS)

    Path("tuned.csv").write_text("edited")
    with pytest.raises(ValueError, match=r"tuned\.csv is not what stage measure@tuned wrote"):
        check_files(dvc("version"), tmp_path, FILES)
    Path("tuned.csv").unlink()
    with pytest.raises(FileNotFoundError, match=r"tuned\.csv is missing"):
        check_files(lock, tmp_path, FILES)


def test_a_stage_that_never_ran_is_named() -> None:
    empty: list[dict[str, Any]] = [{}, {"stages": {}}]
    for lock in empty:
        with pytest.raises(ValueError, match="has no run of stage train: run `dvc repro`"):
            check_parameters(lock, {}, ["train"])
        with pytest.raises(ValueError, match="has no run of stage train"):
            check_links(lock)
