"""A trial tells the speed of the work itself, in CPU seconds, which other processes of the machine do not change."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from anomend.diffusion.sampling import load_sampler, sample_images, sampling_options
from anomend.params.profiles import merge
from anomend.pipeline.trial import noise, run_trial
from anomend.project.metric_files import record_cost
from anomend.training.loop import LoraTrainer
from tests.conftest import ROOT
from tests.parameters import params_of, user_params

pytestmark = pytest.mark.slow


def rates(name: str) -> dict[str, float]:
    work = json.loads(Path(f"metrics/resources/{name}.json").read_text())["work"]
    return {kind: done["seconds"] / done["amount"] for kind, done in work.items()}


def test_sampling_and_training_take_what_the_trial_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(time, "perf_counter", time.process_time)
    changes = {"base": {"local_folder": str(ROOT / "models" / "mini")}, "sample": {"batch_size": 16}}
    params = params_of(merge(user_params(), changes | {"train": {"steps": 20}}))
    run_trial(params)
    pipeline, texts = load_sampler(params.base, params.prompts.target)
    requests = [(params.prompts.target[0], seed) for seed in range(16)]
    options = sampling_options(params.base, params.sample)
    with record_cost("run"):
        for _ in range(2):
            # At first by the base, then with the LoRA.
            list(sample_images(pipeline, requests, **options, description="", texts=texts))
            if not getattr(pipeline.transformer, "peft_config", None):
                data = noise(params, pipeline, texts)
                LoraTrainer(pipeline.transformer, params.train, data, checkpoints=tmp_path / "checkpoints").run()
    predicted, found = rates("trial"), rates("run")
    assert set(predicted) == {*found, "encoding", "measuring"} and set(found) == {"sampling", "training", "adapted"}
    for kind, rate in found.items():
        assert 1 / 1.5 < predicted[kind] / rate < 1.5, kind
