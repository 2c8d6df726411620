"""Training by rewards: its rounds, its guards, and that it goes on exactly where it was killed."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from anomend.training.data import TrainingData
from anomend.training.evaluations import Evaluation, Image
from anomend.training.log import TrainingLog
from anomend.training.loop import LoraTrainer
from anomend.training.negative_aware import optimality
from anomend.training.round_reports import RoundReport, detector_gap, diversity, round_report
from anomend.training.run import images_learned, training_metrics
from tests.clones import run
from tests.conftest import ROOT
from tests.diffusion.tiny import tiny_transformer, training_data
from tests.training.reward_runs import PROMPTS, bright, drawn, rounds, texts, train, trainer_of


def weights(trainer: LoraTrainer) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in trainer.weights.parameters])


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[LoraTrainer, str]:
    """An uninterrupted run, and the SHA-256 of its file."""
    return train(tmp_path_factory.mktemp("whole"))


def test_the_first_round_is_the_bases_and_the_next_one_the_old_weights(tmp_path: Path) -> None:
    trainer = trainer_of(tmp_path)
    trainer.open_round()
    base = [drawn(tiny_transformer(), prompt, seed) for prompt in PROMPTS for seed in range(4)]
    expected = torch.from_numpy(np.stack(base))[..., 0].float().sub(128).div(20)
    assert torch.equal(trainer.data.instance.mean.view(8, 4, 16), expected)
    rewards = torch.tensor([0.0 if wrong else 1.0 for wrong in bright(base)])
    prompts = [prompt for prompt in PROMPTS for _ in range(4)]
    assert 0 < rewards.sum() < 8 and trainer.data.instance.prompts == prompts
    assert trainer.data.optimality is not None
    torch.testing.assert_close(trainer.data.optimality, optimality(rewards, prompts))
    before = weights(trainer)
    for _ in range(4):
        trainer.open_round()
        trainer.step()
    trained = weights(trainer)
    assert [each.step for each in trainer.progress.rounds] == [0]
    trainer.open_round()
    # By hand: after its first round .05 of the old weights stays.
    old = 0.05 * before + 0.95 * trained
    torch.testing.assert_close(trainer.weights.old[0], old)
    assert torch.equal(weights(trainer), trained)
    with trainer.weights.as_old():
        images = [drawn(trainer.transformer, prompt, seed) for prompt in PROMPTS for seed in range(4, 8)]
    assert torch.equal(
        trainer.data.instance.mean.view(8, 4, 16), torch.from_numpy(np.stack(images))[..., 0].float().sub(128).div(20)
    )
    assert len({*trainer.data.instance.ids}) == 8


def test_mirror_images_are_trained_on_like_the_images_once_the_base_has_been_learned_from(tmp_path: Path) -> None:
    def data_of(folder: str, **nft: bool) -> list[TrainingData]:
        trainer, found = trainer_of(tmp_path / folder, nft=nft), []
        for step in range(5):
            trainer.open_round()
            if step in (0, 4):
                found.append(trainer.data)
            trainer.step()
        return found

    plain, mirrored = data_of("plain"), data_of("mirrored", flip=True)
    assert torch.equal(plain[0].instance.mean, mirrored[0].instance.mean)
    image, both = plain[1].instance, mirrored[1].instance
    assert both.ids == image.ids and both.mean.shape == both.std.shape == (8, 2, 4, 4, 4)
    assert torch.equal(both.mean[:, :1], image.mean)
    # The stand-in for a VAE keeps an image's 4 x 16 pixels in their order.
    assert torch.equal(both.mean[:, 1].view(8, 4, 16), image.mean[:, 0].view(8, 4, 16).flip(2))
    assert mirrored[1].optimality is not None and plain[1].optimality is not None
    assert torch.equal(mirrored[1].optimality, plain[1].optimality)


def test_every_image_of_a_round_is_trained_on_as_often_as_asked(tmp_path: Path, monkeypatch: Any) -> None:
    trainer, seen = trainer_of(tmp_path), []
    backward = trainer.gradients.backward
    monkeypatch.setattr(
        trainer.gradients, "backward", lambda units, *rest: seen.append(units) or backward(units, *rest)
    )
    trainer.run()
    rows = [draw.row for step in seen for (draw,) in step if draw.role == 0]
    for number in range(2):
        of_round = rows[number * 16 : (number + 1) * 16]
        assert sorted(of_round) == sorted([*range(8)] * 2)


def test_rewards_teach(tmp_path: Path) -> None:
    trainer, _ = train(tmp_path, steps=56, nft={"images_per_prompt": 16, "passes": 1, "kl_weight": 0.0})
    rates = [each.anomaly_rate for each in trainer.progress.rounds]
    # Rounds of 32 images, in which the base's rate has a standard error of .05.
    assert len(rates) == 7 and rates[0] > 0.8 and sum(rates[-2:]) / 2 < 0.6, rates


def test_rewards_that_are_all_the_same_teach_nothing_at_first(tmp_path: Path) -> None:
    made = trainer_of(tmp_path, made=lambda settings: rounds(settings, anomalous=lambda images: [True] * len(images)))
    made.open_round()
    row = made.step()
    # Neither the rewards, nor the difference from the base, has a gradient at the base itself.
    assert row["gradient_norm"] < 1e-6 and row["norm_ratio"] == pytest.approx(1.0) and row["kl_loss"] < 1e-10


@pytest.mark.parametrize("done", [1, 4, 6])
def test_a_run_that_is_resumed_at_any_step_of_a_round_ends_in_the_same_file(
    whole: tuple[LoraTrainer, str], tmp_path: Path, done: int
) -> None:
    cut = trainer_of(tmp_path / "cut")
    for _ in range(done):
        cut.open_round()
        cut.step()
    cut.save()
    resumed, again = train(tmp_path / "cut")
    assert again == whole[1] and resumed.progress.rows == whole[0].progress.rows
    # As words, since a round may have too few right images, and NaN equals nothing.
    assert str(resumed.progress.rounds) == str(whole[0].progress.rounds)


KILLED_RUN = """
import os, signal, sys
from pathlib import Path
from anomend.training import loop
from tests.training.reward_runs import train
step, folder = int(sys.argv[1]), Path(sys.argv[2])
original = loop.LoraTrainer.step
def dying(self):
    if self.progress.done == step:
        os.kill(os.getpid(), signal.SIGKILL)
    return original(self)
loop.LoraTrainer.step = dying
train(folder, checkpoint_every=2)
"""


@pytest.mark.slow
@pytest.mark.parametrize("step", [3, 5])
def test_a_killed_run_resumes_to_the_same_file(whole: tuple[LoraTrainer, str], tmp_path: Path, step: int) -> None:
    killed = run(ROOT, "python", "-c", KILLED_RUN, str(step), str(tmp_path / "killed"), check=False)
    assert killed.returncode == -9 and len(list((tmp_path / "killed" / "checkpoints").glob("state-*"))) == 1
    resumed, again = train(tmp_path / "killed", checkpoint_every=2)
    assert again == whole[1] and resumed.progress.rows == whole[0].progress.rows


def test_a_step_in_parts_is_the_step(whole: tuple[LoraTrainer, str], tmp_path: Path) -> None:
    # Of six images in parts of four, the last part has class images alone.
    parts, _ = train(tmp_path, micro_batch_size=4)
    torch.testing.assert_close(weights(parts), weights(whole[0]), atol=1e-4, rtol=1e-3)


def test_labels_have_one_round_of_the_base_and_no_old_weights(whole: tuple[LoraTrainer, str], tmp_path: Path) -> None:
    trainer, _ = train(tmp_path, method="labels", steps=12)
    assert [each.step for each in trainer.progress.rounds] == [0] and not trainer.weights.old
    assert images_learned(trainer) == 8 and trainer.progress.done == 12
    # Before the old weights first follow, both methods are the same.
    assert whole[0].progress.rows[:4] == trainer.progress.rows[:4]
    assert whole[0].progress.rows[4:] != trainer.progress.rows[4:8]


def alike(transformer: Any, prompt: str, seed: int) -> Image:
    """As the base draws at first; from the second round on always the same picture."""
    return drawn(tiny_transformer(), prompt, seed if seed < 4 else 9)


def test_a_round_of_the_same_picture_again_and_again_stops_the_run(tmp_path: Path) -> None:
    right = {"anomalous": lambda images: [index == 0 for index in range(len(images))]}
    trainer = trainer_of(
        tmp_path, made=lambda settings: rounds(settings, draw=alike, **right), nft={"min_diversity": 0.5}
    )
    trainer.run()
    assert trainer.progress.done == 4
    metrics = training_metrics(trainer)
    assert metrics["stopped_early"] and metrics["stopped_by"] == "train.nft.min_diversity"
    assert list(metrics["by_round"]) == ["0", "4"] and metrics["by_round"]["4"]["diversity"] == 0
    assert metrics["by_round"]["0"] == {"n": 8, "anomaly_rate": 0.125, "diversity": 1.0}


def wrong_ones(*counts: int) -> Any:
    """A detector that finds so many of each round's images anomalous."""
    left = iter(counts)
    return lambda images: [index < wrong for wrong in [next(left)] for index in range(len(images))]


def test_rewards_that_a_second_detector_does_not_confirm_stop_the_run(tmp_path: Path) -> None:
    def made(*second: int) -> Any:
        return lambda settings: rounds(settings, anomalous=wrong_ones(4, 1), second=wrong_ones(*second))

    # Of 8 images the rewards' anomalies fell from 4 to 1, a quarter. The second detector saw 6, and sees 4, two thirds.
    stopped = trainer_of(tmp_path / "a", made=made(6, 4))
    stopped.run()
    metrics = training_metrics(stopped)
    assert metrics["steps"] == 4 and metrics["stopped_by"] == "train.nft.max_detector_gap"
    assert [each["second_anomaly_rate"] for each in metrics["by_round"].values()] == [0.75, 0.5]
    assert detector_gap(stopped.progress.rounds) == pytest.approx(2 / 3 - 1 / 4)
    # Detectors that see the same fall have no gap, the stricter one as little as the one that misses most.
    seen: list[tuple[str, tuple[int, int], dict[str, Any]]] = [("b", (8, 2), {}), ("c", (2, 1), {}), ("d", (0, 0), {})]
    for folder, second, nft in [*seen, ("e", (6, 4), {"max_detector_gap": None})]:
        trainer = trainer_of(tmp_path / folder, made=made(*second), nft=nft)
        trainer.run()
        assert trainer.progress.done == 8 and "stopped_by" not in training_metrics(trainer)


def test_a_second_detector_changes_no_weight_and_outlasts_a_resume(tmp_path: Path) -> None:
    alone, _ = train(tmp_path / "alone")
    begun = trainer_of(tmp_path / "watched", made=lambda settings: rounds(settings, second=bright))
    for _ in range(5):
        begun.open_round()
        begun.step()
    begun.save()
    resumed, _ = train(tmp_path / "watched", made=lambda settings: rounds(settings, second=bright))
    assert torch.equal(weights(resumed), weights(alone))
    seen = [each.second_anomalous for each in resumed.progress.rounds]
    assert seen == [each.anomalous for each in resumed.progress.rounds] and len(seen) == 2


def test_harm_elsewhere_stops_the_run_and_the_best_weights_before_are_kept(tmp_path: Path) -> None:
    watched = {"every": 2, "seeds_per_prompt": 1, "detector": "drawn_people", "patience": 0, "keep": "last"}
    limit = {"held_out_prompts": ["standing on the grass"], "max_held_out_rate": 0.2}
    rates = iter([(0.5, 0.1), (0.2, 0.1), (0.0, 0.3)])

    def evaluate(transformer: Any, processes: Any) -> Evaluation:
        rate, elsewhere = next(rates)
        return Evaluation(
            anomaly_rate=rate, validation_loss=None, held_out_rate=elsewhere, harmful=elsewhere > 0.2, sampled=0
        )

    stopped = trainer_of(tmp_path / "a", evaluate=evaluate, monitor=watched | limit)
    stopped.run()
    metrics = training_metrics(stopped)
    assert metrics["steps"] == 6 and metrics["stopped_by"] == "train.monitor.max_held_out_rate"
    assert metrics["kept_step"] == 4
    reached = trainer_of(tmp_path / "b", ema_decay=0.99)
    for _ in range(4):
        reached.open_round()
        reached.step()
    reached.weights.use_average()
    assert torch.equal(weights(stopped), weights(reached))


def test_rounds_are_in_the_curves_also_of_a_run_that_is_resumed(tmp_path: Path) -> None:
    for folder in ("uncut", "cut"):
        if folder == "cut":
            begun = trainer_of(tmp_path / folder)
            for _ in range(5):
                begun.open_round()
                begun.step()
            begun.save()
        log = TrainingLog(tmp_path / folder / "curves")
        trainer = trainer_of(tmp_path / folder, log=log)
        with closing(log):
            trainer.run()
    names = ("round_anomaly_rate", "round_diversity", "norm_ratio", "kl_loss", "prior_loss")
    for name in names:
        uncut, cut = (
            (tmp_path / folder / "curves" / "plots" / "metrics" / f"{name}.tsv").read_text()
            for folder in ("uncut", "cut")
        )
        assert uncut == cut
    rates = (tmp_path / "uncut" / "curves" / "plots" / "metrics" / "round_anomaly_rate.tsv").read_text().splitlines()
    assert [line.split("\t")[0] for line in rates] == ["step", "0", "4"]


@pytest.mark.parametrize("method", ["nft", "labels"])
def test_several_processes_are_refused_in_a_sentence(tmp_path: Path, method: str) -> None:
    two: Any = SimpleNamespace(num_processes=2)
    settings = trainer_of(tmp_path, method=method).settings
    with pytest.raises(ValueError, match=rf"train\.method = '{method}' draws .* starts 2: set train\.launcher to \[\]"):
        LoraTrainer(tiny_transformer(), settings, training_data(), checkpoints=tmp_path, accelerator=two)


def test_the_report_of_a_round_by_hand() -> None:
    latents = torch.tensor([[0.0], [2.0], [4.0], [6.0], [0.0], [1.0]])
    rewards, prompts = torch.tensor([1.0, 1.0, 1.0, 1.0, 0.0, 1.0]), ["a"] * 4 + ["b"] * 2
    first = round_report(latents, rewards, prompts, step=0, first=True)
    # Variances with n - 1: a 20 / 3, b .5; b has one right image, so that all its images count in the first round.
    assert first.spreads == pytest.approx(((40 / 3) ** 0.5, 1.0)) and first.anomaly_rate == pytest.approx(1 / 6)
    later = round_report(latents / 2, rewards, prompts, step=6, first=False)
    assert later.spreads[0] == pytest.approx((10 / 3) ** 0.5) and np.isnan(later.spreads[1])
    assert diversity([first, later]) == pytest.approx(0.5) and diversity([first]) == 1
    nobody = RoundReport(step=9, images=6, anomalous=6, spreads=(float("nan"), float("nan")))
    assert diversity([first, nobody]) is None


def test_texts_of_the_rounds_are_those_of_their_prompts(tmp_path: Path) -> None:
    trainer = trainer_of(tmp_path)
    trainer.open_round()
    data, given = trainer.data.instance, texts()
    for row, prompt in enumerate(data.prompts):
        assert torch.equal(data.texts["embeds"][data.caption[row]], given.texts["embeds"][PROMPTS.index(prompt)])
