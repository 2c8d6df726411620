"""The loop: that it learns, that it resumes exactly, in parts and with every option."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch._inductor.cpp_builder import cpp_compiler_search

from anomend.diffusion.lora import WEIGHT_NAME, save_lora
from anomend.training.data import TrainingData
from anomend.training.log import TrainingLog
from anomend.training.loop import LoraTrainer
from anomend.training.monitoring import Look
from tests.conftest import ROOT
from tests.diffusion.tiny import FORMAT, compiles, encoded_set, tiny_transformer, train_params, training_data
from tests.parameters import user_params


def train(raw: dict[str, Any], folder: Path, **changes: Any) -> tuple[LoraTrainer, str]:
    """Train the tiny transformer; returns the trainer and the LoRA's SHA-256."""
    settings = train_params(raw, **changes)
    data = training_data() if settings.method == "dreambooth" else preference_data()
    trainer = LoraTrainer(tiny_transformer(), settings, data, folder / "checkpoints")
    trainer.run()
    return trainer, save_lora(trainer.transformer, folder / "lora")


def preference_data() -> TrainingData:
    return TrainingData(encoded_set(5, 1), encoded_set(4, 2), FORMAT, encoded_set(6, 9))


def test_training_lowers_the_loss_and_leaves_the_base_alone(raw_params: dict[str, Any], tmp_path: Path) -> None:
    before = {name: value.clone() for name, value in tiny_transformer().state_dict().items()}
    trainer, _ = train(raw_params, tmp_path, steps=300, learning_rate=1e-2, ema_decay=0.0, class_batch_size=0, rank=8)
    losses = [row["loss"] for row in trainer.progress.rows]
    assert sum(losses[-30:]) < 0.9 * sum(losses[:30])
    after = {name.replace(".base_layer", ""): value for name, value in trainer.transformer.state_dict().items()}
    assert all(torch.equal(after[name], value) for name, value in before.items())


def test_the_same_seed_gives_the_same_file_and_another_seed_another(raw_params: dict[str, Any], tmp_path: Path) -> None:
    _, first = train(raw_params, tmp_path / "a")
    _, second = train(raw_params, tmp_path / "b")
    _, other = train(raw_params, tmp_path / "c", seed=1)
    assert first == second != other


@pytest.mark.slow
@compiles
@pytest.mark.parametrize(("method", "way"), [("dreambooth", "whole"), ("dpo", "whole"), ("dpo", "blocks")])
def test_compiled_training_is_the_training(raw_params: dict[str, Any], tmp_path: Path, method: str, way: str) -> None:
    # Flow-DPO turns the adapters off and on in every step, between calls of the same shapes.
    changes = {"method": method, "class_batch_size": 0} if method == "dpo" else {}
    plain, _ = train(raw_params, tmp_path / "a", **changes)
    compiled, _ = train(raw_params, tmp_path / "b", **changes, compile=way)
    torch.testing.assert_close(weights(compiled), weights(plain), atol=1e-4, rtol=1e-3)
    names = [set(load_file(tmp_path / name / "lora" / WEIGHT_NAME)) for name in "ab"]
    assert names[0] == names[1]


@pytest.mark.slow
@compiles
def test_compiled_training_in_parts_resumes_to_the_same_file(raw_params: dict[str, Any], tmp_path: Path) -> None:
    # Parts of 2, 2 and 1: two graphs, whose gradients add up.
    changes = {"compile": "whole", "micro_batch_size": 2}
    through, expected = train(raw_params, tmp_path / "through", **changes)
    plain, _ = train(raw_params, tmp_path / "plain")
    torch.testing.assert_close(weights(through), weights(plain), atol=1e-4, rtol=1e-3)
    settings = train_params(raw_params, **changes)
    cut = LoraTrainer(tiny_transformer(), settings, training_data(), tmp_path / "cut" / "checkpoints")
    for _ in range(6):
        cut.step()
        if cut.progress.done == 4:
            cut.save()
    _, found = train(raw_params, tmp_path / "cut", **changes)
    assert found == expected


@pytest.mark.parametrize("way", ["blocks", "whole"])
def test_compiling_without_a_compiler_ends_in_a_sentence(
    raw_params: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    cpp_compiler_search.cache_clear()  # torch remembers one that an earlier test found
    with pytest.raises(ValueError, match=r"train\.compile needs a C\+\+ compiler .* set it to none"):
        train(raw_params, tmp_path, compile=way)


@pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")
def test_compiling_in_a_path_with_a_space_ends_in_a_sentence(
    raw_params: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "__file__", "/my environment/torch/__init__.py")
    with pytest.raises(ValueError, match="without spaces: move /my environment/torch, or set it to none"):
        train(raw_params, tmp_path, compile="blocks")


def test_prior_preservation_enters_the_result(raw_params: dict[str, Any], tmp_path: Path) -> None:
    _, with_prior = train(raw_params, tmp_path / "a")
    _, without = train(raw_params, tmp_path / "b", class_batch_size=0)
    assert with_prior != without


def test_an_absurd_learning_rate_ends_in_a_sentence(raw_params: dict[str, Any], tmp_path: Path) -> None:
    trainer = LoraTrainer(tiny_transformer(), train_params(raw_params), training_data(), tmp_path)
    for parameter in trainer.parameters:
        parameter.data.fill_(float("inf"))
    with pytest.raises(ValueError, match=r"at step 1: lower train\.learning_rate"):
        trainer.run()


def test_curves_of_a_training_that_fails_are_written(raw_params: dict[str, Any], tmp_path: Path) -> None:
    trainer = LoraTrainer(tiny_transformer(), train_params(raw_params), training_data(), tmp_path / "checkpoints")
    trainer.log = TrainingLog(tmp_path / "curves")
    step = trainer.step

    def fails_after_three() -> dict[str, float]:
        if trainer.progress.done == 3:
            raise ValueError("no fourth step")
        return step()

    trainer.step = fails_after_three  # type: ignore[method-assign]
    with pytest.raises(ValueError, match="no fourth"), closing(trainer.log):
        trainer.run()
    rows = (tmp_path / "curves" / "plots" / "metrics" / "loss.tsv").read_text().splitlines()
    assert [row.split("\t")[0] for row in rows] == ["step", "1", "2", "3"]


def test_unknown_target_modules_are_named(raw_params: dict[str, Any], tmp_path: Path) -> None:
    settings = train_params(raw_params, target_modules=["to_nowhere"])
    with pytest.raises(ValueError, match=r"train\.target_modules = \['to_nowhere'\]"):
        LoraTrainer(tiny_transformer(), settings, training_data(), tmp_path)


def weights(trainer: LoraTrainer) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in trainer.parameters])


@pytest.mark.parametrize(("method", "size"), [("dreambooth", 2), ("dreambooth", 1), ("dpo", 2), ("dpo", 1)])
def test_a_step_in_parts_is_the_step(raw_params: dict[str, Any], tmp_path: Path, method: str, size: int) -> None:
    # Parts of class images alone are among them.
    whole, _ = train(raw_params, tmp_path / "a", method=method)
    parts, _ = train(raw_params, tmp_path / "b", method=method, micro_batch_size=size)
    torch.testing.assert_close(weights(parts), weights(whole), atol=1e-5, rtol=1e-3)
    for name in whole.progress.rows[0]:
        assert [row[name] for row in parts.progress.rows] == pytest.approx(
            [row[name] for row in whole.progress.rows], rel=1e-4
        ), name


def test_gradient_checkpointing_changes_nothing(raw_params: dict[str, Any], tmp_path: Path) -> None:
    plain, _ = train(raw_params, tmp_path / "a")
    checkpointed, _ = train(raw_params, tmp_path / "b", gradient_checkpointing=True)
    torch.testing.assert_close(weights(checkpointed), weights(plain), atol=1e-5, rtol=1e-3)


@pytest.mark.parametrize(
    "option",
    [{"use_dora": True}, {"use_rslora": True}, {"method": "dpo"}, {"sigma_scheme": "mode"}, {"ema_decay": 0.0}],
    ids=str,
)
def test_every_option_trains_saves_and_differs(raw_params: dict[str, Any], tmp_path: Path, option: Any) -> None:
    _, plain = train(raw_params, tmp_path / "a")
    trainer, changed = train(raw_params, tmp_path / "b", **option)
    assert changed != plain and torch.isfinite(weights(trainer)).all()


def test_preference_training_prefers_the_winners(raw_params: dict[str, Any], tmp_path: Path) -> None:
    dpo = {"beta": 20.0, "instance_loss_weight": 0.0}
    trainer, _ = train(raw_params, tmp_path, method="dpo", dpo=dpo, steps=60, learning_rate=1e-2, class_batch_size=0)
    accuracies = [row["preference_accuracy"] for row in trainer.progress.rows]
    assert sum(accuracies[-20:]) / 20 > 0.8
    losses = [row["dpo_loss"] for row in trainer.progress.rows]
    assert sum(losses[-20:]) < 0.8 * sum(losses[:5]) * 4


def test_prodigy_resumes_with_its_own_estimate_of_the_rate(raw_params: dict[str, Any], tmp_path: Path) -> None:
    pytest.importorskip("prodigyopt")
    choice = {"optimizer": "prodigy", "learning_rate": 1.0, "lr_scheduler": "constant"}
    _, whole = train(raw_params, tmp_path / "a", **choice)
    settings = train_params(raw_params, **choice)
    first = LoraTrainer(tiny_transformer(), settings, training_data(), tmp_path / "b" / "checkpoints")
    for _ in range(5):
        first.step()
    first.save()
    trainer, resumed = train(raw_params, tmp_path / "b", **choice)
    assert resumed == whole and trainer.progress.done == 12


@pytest.mark.parametrize(("option", "sentence"), [("adamw_8bit", "needs a CUDA GPU"), ("prodigy", "prodigyopt")])
def test_an_optimizer_that_is_not_here_is_refused(
    raw_params: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: str, sentence: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr("anomend.training.optimizers.find_spec", lambda name: None)
    with pytest.raises(ValueError, match=sentence):
        train(raw_params, tmp_path, optimizer=option)


def watched(raw: dict[str, Any], folder: Path, rates: list[float], **monitor: Any) -> LoraTrainer:
    """Train with looks whose rates are given, every 2 steps."""
    changes = {"every": 2, "seeds_per_prompt": 1, "detector": "drawn_people"} | monitor
    settings = train_params(raw, monitor=raw["train"]["monitor"] | changes)
    given = iter(rates)
    trainer = LoraTrainer(
        tiny_transformer(), settings, training_data(), folder, lambda transformer, processes: Look(next(given), None)
    )
    trainer.run()
    return trainer


def test_training_stops_when_no_look_is_better_and_keeps_the_best(raw_params: dict[str, Any], tmp_path: Path) -> None:
    stopped = watched(raw_params, tmp_path / "a", [0.5, 0.1, 0.3, 0.2, 0.0], patience=2, keep="best")
    assert stopped.progress.done == 8 and stopped.progress.looks.best == 1
    until_best = watched(raw_params, tmp_path / "b", [0.5, 0.1, 0.3, 0.2, 0.2, 0.2], patience=0, keep="best")
    assert until_best.progress.done == 12
    assert torch.equal(weights(stopped), weights(until_best))
    last = watched(raw_params, tmp_path / "c", [0.5, 0.1, 0.3, 0.2, 0.2, 0.2], patience=0, keep="last")
    assert not torch.equal(weights(last), weights(until_best))


def test_looking_changes_no_step(raw_params: dict[str, Any], tmp_path: Path) -> None:
    looked = watched(raw_params, tmp_path / "a", [0.5] * 6, patience=0, keep="last")
    plain, _ = train(user_params(), tmp_path / "b")
    assert torch.equal(weights(looked), weights(plain))


KILLED_RUN = """
import os, signal, sys
from pathlib import Path
from tests.parameters import user_params
from anomend.training import loop as training_loop
from tests.diffusion.test_training_loop import train
step, folder = int(sys.argv[1]), Path(sys.argv[2])
original = training_loop.LoraTrainer.step
def dying(self):
    if self.progress.done == step:
        os.kill(os.getpid(), signal.SIGKILL)
    return original(self)
training_loop.LoraTrainer.step = dying
train(user_params(), folder)
"""


@pytest.mark.slow
@pytest.mark.parametrize("step", [0, 5, 11])
def test_a_killed_training_resumes_to_the_same_file(raw_params: dict[str, Any], tmp_path: Path, step: int) -> None:
    command = [sys.executable, "-c", KILLED_RUN, str(step), str(tmp_path / "killed")]
    killed = subprocess.run(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=False)
    assert killed.returncode == -9
    trainer, resumed = train(raw_params, tmp_path / "killed")
    whole, uninterrupted = train(user_params(), tmp_path / "whole")
    assert resumed == uninterrupted
    assert [row["step"] for row in trainer.progress.rows] == list(range(1, 13))
    assert trainer.progress.rows == whole.progress.rows
