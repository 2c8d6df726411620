"""The loop: that it learns, that it resumes exactly, in parts and with every option."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch._inductor.cpp_builder import cpp_compiler_search

from anomend.diffusion.lora import save_lora
from anomend.diffusion.lora_folder import WEIGHT_NAME
from anomend.project.metric_files import record_cost
from anomend.training.data import TrainingData
from anomend.training.evaluations import Evaluation
from anomend.training.log import TrainingLog
from anomend.training.loop import LoraTrainer
from tests.clones import run
from tests.conftest import ROOT
from tests.diffusion.tiny import FORMAT, compiles, encoded_set, tiny_transformer, train_params, training_data


def train(folder: Path, **changes: Any) -> tuple[LoraTrainer, str]:
    """Train the tiny transformer; returns the trainer and the LoRA's SHA-256."""
    settings = train_params(**changes)
    data = training_data() if settings.method == "dreambooth" else preference_data()
    trainer = LoraTrainer(tiny_transformer(), settings, data, checkpoints=folder / "checkpoints")
    trainer.run()
    return trainer, save_lora(trainer.transformer, folder / "lora")


def preference_data() -> TrainingData:
    return TrainingData(encoded_set(5, 1), encoded_set(4, 2), FORMAT, losers=encoded_set(6, 9))


def test_training_lowers_the_loss_and_leaves_the_base_alone(tmp_path: Path) -> None:
    before = {name: value.clone() for name, value in tiny_transformer().state_dict().items()}
    trainer, _ = train(tmp_path, steps=300, learning_rate=1e-2, ema_decay=0.0, class_batch_size=0, rank=8)
    losses = [row["loss"] for row in trainer.progress.rows]
    assert sum(losses[-30:]) < 0.9 * sum(losses[:30])
    after = {name.replace(".base_layer", ""): value for name, value in trainer.transformer.state_dict().items()}
    assert all(torch.equal(after[name], value) for name, value in before.items())


@pytest.mark.parametrize(("changes", "passes"), [({"method": "dreambooth"}, 3 + 2), ({"method": "dpo"}, 2 * 3 + 2)])
def test_the_images_that_were_trained_on_are_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], passes: int
) -> None:
    monkeypatch.chdir(tmp_path)
    with record_cost("train"):
        train(tmp_path, steps=4, batch_size=3, class_batch_size=2, micro_batch_size=1, **changes)
    work = json.loads((tmp_path / "metrics" / "resources" / "train.json").read_text())["work"]
    assert work["training"]["amount"] == 4 * passes and work["training"]["seconds"] > 0


def test_the_same_seed_gives_the_same_file_and_another_seed_another(tmp_path: Path) -> None:
    _, first = train(tmp_path / "a")
    _, second = train(tmp_path / "b")
    _, other = train(tmp_path / "c", seed=1)
    assert first == second != other


@pytest.mark.slow
@compiles
@pytest.mark.usefixtures("no_code_generator")
@pytest.mark.parametrize("way", ["whole", "blocks"])
def test_compiled_preference_training_is_the_training(tmp_path: Path, way: str) -> None:
    # Flow-DPO turns the adapters off and on in every step, between calls of the same shapes.
    changes = {"method": "dpo", "class_batch_size": 0}
    plain, _ = train(tmp_path / "a", **changes)
    compiled, _ = train(tmp_path / "b", **changes, compile=way)
    torch.testing.assert_close(weights(compiled), weights(plain), atol=1e-4, rtol=1e-3)
    assert saved_names(tmp_path / "a") == saved_names(tmp_path / "b")


def saved_names(folder: Path) -> set[str]:
    return set(load_file(folder / "lora" / WEIGHT_NAME))


@pytest.mark.slow
@compiles
@pytest.mark.skipif(
    not os.environ.get("ANOMEND_INDUCTOR"),
    reason="tests/training/acceleration compares generated code with the transformer; ANOMEND_INDUCTOR=1 trains by it",
)
def test_training_by_generated_code_is_the_training(tmp_path: Path) -> None:
    plain, _ = train(tmp_path / "a")
    compiled, _ = train(tmp_path / "b", compile="blocks")
    torch.testing.assert_close(weights(compiled), weights(plain), atol=1e-4, rtol=1e-3)


@pytest.mark.slow
@compiles
@pytest.mark.usefixtures("no_code_generator")
def test_compiled_training_in_parts_is_the_training_and_resumes_to_the_same_file(tmp_path: Path) -> None:
    # Parts of 2, 2 and 1: two graphs, whose gradients add up.
    changes = {"compile": "whole", "micro_batch_size": 2}
    through, expected = train(tmp_path / "through", **changes)
    plain, _ = train(tmp_path / "plain")
    torch.testing.assert_close(weights(through), weights(plain), atol=1e-4, rtol=1e-3)
    assert saved_names(tmp_path / "through") == saved_names(tmp_path / "plain")
    settings = train_params(**changes)
    cut = LoraTrainer(tiny_transformer(), settings, training_data(), checkpoints=tmp_path / "cut" / "checkpoints")
    for _ in range(6):
        cut.step()
        if cut.progress.done == 4:
            cut.save()
    _, resumed = train(tmp_path / "cut", **changes)
    assert resumed == expected


@pytest.mark.parametrize("way", ["blocks", "whole"])
def test_compiling_without_a_compiler_ends_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    cpp_compiler_search.cache_clear()  # torch caches the result of an earlier test
    with pytest.raises(ValueError, match=r"train\.compile needs a C\+\+ compiler .* set it to none"):
        train(tmp_path, compile=way)


@pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")
def test_compiling_in_a_path_with_a_space_ends_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "__file__", "/my environment/torch/__init__.py")
    with pytest.raises(ValueError, match="without spaces: move /my environment/torch, or set it to none"):
        train(tmp_path, compile="blocks")


def test_prior_preservation_enters_the_result(tmp_path: Path) -> None:
    _, with_prior = train(tmp_path / "a")
    _, without = train(tmp_path / "b", class_batch_size=0)
    assert with_prior != without


def test_an_absurd_learning_rate_ends_in_a_sentence(tmp_path: Path) -> None:
    trainer = LoraTrainer(tiny_transformer(), train_params(), training_data(), checkpoints=tmp_path)
    for parameter in trainer.weights.parameters:
        parameter.data.fill_(float("inf"))
    with pytest.raises(ValueError, match=r"at step 1: lower train\.learning_rate"):
        trainer.run()


def test_curves_of_a_training_that_fails_are_written(tmp_path: Path) -> None:
    trainer = LoraTrainer(tiny_transformer(), train_params(), training_data(), checkpoints=tmp_path / "checkpoints")
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


def test_unknown_target_modules_are_named(tmp_path: Path) -> None:
    settings = train_params(target_modules=["to_nowhere"])
    with pytest.raises(ValueError, match=r"train\.target_modules names 'to_nowhere'"):
        LoraTrainer(tiny_transformer(), settings, training_data(), checkpoints=tmp_path)


def weights(trainer: LoraTrainer) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in trainer.weights.parameters])


@pytest.mark.parametrize(("method", "size"), [("dreambooth", 2), ("dreambooth", 1), ("dpo", 2), ("dpo", 1)])
def test_a_step_in_parts_is_the_step(tmp_path: Path, method: str, size: int) -> None:
    # Parts of class images alone are among them.
    whole, _ = train(tmp_path / "a", method=method)
    parts, _ = train(tmp_path / "b", method=method, micro_batch_size=size)
    torch.testing.assert_close(weights(parts), weights(whole), atol=1e-5, rtol=1e-3)
    for name in whole.progress.rows[0]:
        assert [row[name] for row in parts.progress.rows] == pytest.approx(
            [row[name] for row in whole.progress.rows], rel=1e-4
        ), name


def test_gradient_checkpointing_changes_nothing(tmp_path: Path) -> None:
    plain, _ = train(tmp_path / "a")
    checkpointed, _ = train(tmp_path / "b", gradient_checkpointing=True)
    torch.testing.assert_close(weights(checkpointed), weights(plain), atol=1e-5, rtol=1e-3)


@pytest.mark.parametrize(
    "option",
    [{"use_dora": True}, {"use_rslora": True}, {"method": "dpo"}, {"sigma_scheme": "mode"}, {"ema_decay": 0.0}],
    ids=str,
)
def test_every_option_trains_saves_and_differs(tmp_path: Path, option: Any) -> None:
    _, plain = train(tmp_path / "a")
    trainer, changed = train(tmp_path / "b", **option)
    assert changed != plain and torch.isfinite(weights(trainer)).all()


def test_preference_training_prefers_the_winners(tmp_path: Path) -> None:
    dpo = {"beta": 20.0, "instance_loss_weight": 0.0}
    trainer, _ = train(tmp_path, method="dpo", dpo=dpo, steps=60, learning_rate=1e-2, class_batch_size=0)
    accuracies = [row["preference_accuracy"] for row in trainer.progress.rows]
    assert sum(accuracies[-20:]) / 20 > 0.8
    losses = [row["dpo_loss"] for row in trainer.progress.rows]
    assert sum(losses[-20:]) < 0.8 * sum(losses[:5]) * 4


def test_prodigy_resumes_with_its_own_estimate_of_the_rate(tmp_path: Path) -> None:
    pytest.importorskip("prodigyopt")
    choice = {"optimizer": "prodigy", "learning_rate": 1.0, "lr_scheduler": "constant"}
    _, whole = train(tmp_path / "a", **choice)
    settings = train_params(**choice)
    first = LoraTrainer(tiny_transformer(), settings, training_data(), checkpoints=tmp_path / "b" / "checkpoints")
    for _ in range(5):
        first.step()
    first.save()
    trainer, resumed = train(tmp_path / "b", **choice)
    assert resumed == whole and trainer.progress.done == 12


@pytest.mark.parametrize(("option", "sentence"), [("adamw_8bit", "needs a CUDA GPU"), ("prodigy", "prodigyopt")])
def test_an_optimizer_whose_package_or_gpu_is_missing_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: str, sentence: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr("anomend.training.optimizers.find_spec", lambda name: None)
    with pytest.raises(ValueError, match=sentence):
        train(tmp_path, optimizer=option)


def evaluated(folder: Path, rates: list[float], **monitor: Any) -> LoraTrainer:
    """Train with an evaluation every 2 steps, whose anomaly rates are given."""
    settings = train_params(monitor={"every": 2, "seeds_per_prompt": 1, "detector": "drawn_people"} | monitor)
    remaining = iter(rates)
    trainer = LoraTrainer(
        tiny_transformer(),
        settings,
        training_data(),
        checkpoints=folder,
        evaluate=lambda transformer, processes: Evaluation(anomaly_rate=next(remaining), validation_loss=None),
    )
    trainer.run()
    return trainer


def test_training_stops_when_evaluations_no_longer_improve_and_keeps_the_best(tmp_path: Path) -> None:
    stopped = evaluated(tmp_path / "a", [0.5, 0.1, 0.3, 0.2, 0.0], patience=2, keep="best")
    assert stopped.progress.done == 8 and stopped.progress.history.best == 1
    until_best = evaluated(tmp_path / "b", [0.5, 0.1, 0.3, 0.2, 0.2, 0.2], patience=0, keep="best")
    assert until_best.progress.done == 12
    assert torch.equal(weights(stopped), weights(until_best))
    last = evaluated(tmp_path / "c", [0.5, 0.1, 0.3, 0.2, 0.2, 0.2], patience=0, keep="last")
    assert not torch.equal(weights(last), weights(until_best))


def test_evaluating_changes_no_step(tmp_path: Path) -> None:
    with_evaluations = evaluated(tmp_path / "a", [0.5] * 6, patience=0, keep="last")
    plain, _ = train(tmp_path / "b")
    assert torch.equal(weights(with_evaluations), weights(plain))


KILLED_RUN = """
import os, signal, sys
from pathlib import Path
from anomend.training import loop
from tests.training.test_loop import train
step, folder = int(sys.argv[1]), Path(sys.argv[2])
original = loop.LoraTrainer.step
def dying(self):
    if self.progress.done == step:
        os.kill(os.getpid(), signal.SIGKILL)
    return original(self)
loop.LoraTrainer.step = dying
train(folder)
"""


@pytest.mark.slow
@pytest.mark.parametrize("step", [0, 5, 11])
def test_a_killed_training_resumes_to_the_same_file(tmp_path: Path, step: int) -> None:
    killed = run(ROOT, "python", "-c", KILLED_RUN, str(step), str(tmp_path / "killed"), check=False)
    assert killed.returncode == -9, killed.stderr
    trainer, resumed = train(tmp_path / "killed")
    whole, uninterrupted = train(tmp_path / "whole")
    assert resumed == uninterrupted
    assert [row["step"] for row in trainer.progress.rows] == list(range(1, 13))
    assert trainer.progress.rows == whole.progress.rows
