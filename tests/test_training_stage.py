"""Stage `train` and what feeds it, as processes of their own: recipes, kills, and what a user may get wrong."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from anomend.detectors.table import make_detector
from anomend.params.resolved import load_params
from studies.experiments.blind_detector import serve_blind_detector
from tests.clones import killed, metrics, run, set_params, start

pytestmark = pytest.mark.slow

CURVES = "metrics/training"


@pytest.fixture(scope="module")
def untouched(reproduced_copy: Callable[[Path], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nothing is changed in it."""
    return reproduced_copy(tmp_path_factory.mktemp("encoded") / "clone")


@pytest.fixture(scope="module")
def refusing(untouched: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy in which stages refuse what they read, so that nothing changes but params.yaml."""
    return shutil.copytree(untouched, tmp_path_factory.mktemp("refusing") / "copy", symlinks=True)


@pytest.fixture(scope="module")
def preferring(untouched: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy with a whole run of preference training; two tests go on from one another in it."""
    folder = shutil.copytree(untouched, tmp_path_factory.mktemp("preferring") / "copy", symlinks=True)
    run(folder, "dvc", "exp", "run", "-S", "train.method=dpo")
    return folder


@pytest.fixture
def another_copy(untouched: Path, tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Makes a copy to break, in a folder of this name; it is gone after the test."""

    def copy(name: str) -> Path:
        return shutil.copytree(untouched, tmp_path / name, symlinks=True)

    yield copy
    shutil.rmtree(tmp_path)


@pytest.fixture
def copied(another_copy: Callable[[str], Path]) -> Path:
    """A copy to break."""
    return another_copy("copy")


def stage(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return run(folder, "python", "-m", *words, check=False)


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_killed_at_three_random_moments_it_ends_with_the_same_file(
    copied: Path, another_copy: Callable[[str], Path]
) -> None:
    through = another_copy("through")
    for folder in (through, copied):
        set_params(folder, {"train": {"steps": 20, "checkpoint_every": 1}, "train.monitor": {"every": 10}})
        assert stage(folder, "stages.resolve").returncode == 0
    whole = stage(through, "stages.train")
    assert whole.returncode == 0, whole.stderr[-2000:]

    before = (copied / "metrics" / "train.json").read_bytes()
    killed_after = sorted(random.SystemRandom().sample(range(1, 19), 3))
    for step in killed_after:
        process = start(copied, "python", "-m", "stages.train")
        deadline = time.monotonic() + 300
        while not any(int(p.stem[6:]) >= step for p in copied.glob(".checkpoints/train/*/state-*.safetensors")):
            assert process.poll() is None and time.monotonic() < deadline, f"no checkpoint of step {step}"
            time.sleep(0.01)
        assert killed(process) == -9
        assert (copied / "metrics" / "train.json").read_bytes() == before
    resumed = stage(copied, "stages.train")
    assert "resuming after step" in resumed.stdout + resumed.stderr
    lora = "models/lora/pytorch_lora_weights.safetensors"
    assert sha256(copied / lora) == sha256(through / lora), f"killed after steps {killed_after}"
    curves = [sorted((folder / "metrics/training").rglob("*.*")) for folder in (through, copied)]
    assert len(curves[0]) > 5
    for one, two in zip(*curves, strict=True):
        assert one.read_bytes() == two.read_bytes()
    assert metrics_of_training(through) == metrics_of_training(copied)


def metrics_of_training(folder: Path) -> object:
    return json.loads((folder / "metrics" / "train.json").read_text())


def evaluated(folder: Path) -> list[tuple[str, str, int, int]]:
    """Recipe, prompt, first seed and images made again, of each block that evaluations added to the store."""
    log = folder / ".samples" / "log.jsonl"
    lines = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    keys = ("recipe", "prompt", "first_seed", "made_again")
    return [tuple(line[key] for key in keys) for line in lines if line["first_seed"] >= 700000]


def test_evaluations_sample_no_image_twice_though_their_steps_are_trained_again(copied: Path) -> None:
    settings = {"train": {"steps": 12, "checkpoint_every": 100}, "train.monitor": {"every": 4, "patience": 0}}
    set_params(copied, settings)
    assert stage(copied, "stages.resolve").returncode == 0
    shutil.rmtree(copied / ".samples")
    process = start(copied, "python", "-m", "stages.train")
    while not evaluated(copied):
        assert process.poll() is None
        time.sleep(0.01)
    assert killed(process) == -9 and not list(copied.glob(".checkpoints/train/*/state-*"))
    results = []
    # From the first step on, which makes nearly all images; and once more, which makes none.
    for _ in range(2):
        done = stage(copied, "stages.train")
        assert done.returncode == 0, done.stderr[-2000:]
        lora = copied / "models/lora/pytorch_lora_weights.safetensors"
        results.append([sha256(path) for path in (lora, *sorted((copied / CURVES).rglob("*.*")))])
        blocks = evaluated(copied)
        assert len({block[:3] for block in blocks}) == len(blocks)
        # At most the batch of three that was being written is made again; its line in the log may be missing.
        assert sum(again for *_, again in blocks) < 3
        # Three evaluations of two prompts and two seeds.
        assert len(list((copied / ".samples").rglob("70000*.png"))) == 3 * 4
    assert results[0] == results[1] and len(results[0]) > 3


def test_a_replacement_machine_goes_on_from_the_checkpoints_that_were_kept(copied: Path, tmp_path: Path) -> None:
    """As configs/skypilot/repro.yaml has it: `.checkpoints/train` is a link to a folder that outlives the machine."""
    kept = tmp_path / "bucket"
    kept.mkdir()
    set_params(copied, {"train": {"steps": 12, "checkpoint_every": 2, "seed": 5}})
    assert stage(copied, "stages.resolve").returncode == 0
    replacement = tmp_path / "replacement"
    shutil.copytree(copied, replacement, symlinks=True)
    for machine in (copied, replacement):
        (machine / ".checkpoints").mkdir(exist_ok=True)
        shutil.rmtree(machine / ".checkpoints" / "train", ignore_errors=True)
        (machine / ".checkpoints" / "train").symlink_to(kept)
    process = start(copied, "python", "-m", "stages.train")
    deadline = time.monotonic() + 300
    while not list(kept.glob("*/state-*.safetensors")):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    assert killed(process) == -9
    done = stage(replacement, "stages.train")
    assert done.returncode == 0 and "resuming after step" in done.stdout + done.stderr, done.stderr[-2000:]


def test_the_saved_lora_draws_what_the_trained_adapter_drew(untouched: Path) -> None:
    trained = json.loads((untouched / "metrics" / "train.json").read_text())
    assert trained["reload_difference"] <= 1


def test_preference_training_runs_end_to_end(preferring: Path) -> None:
    found = metrics(preferring)
    assert found["train"]["provenance"]["n_losers"] == 6
    assert (preferring / "metrics/training/plots/metrics/preference_accuracy.tsv").exists()
    assert found["verdict"]["verdict"] in {"corrected", "not_corrected", "inconclusive"}


def test_images_keep_their_noise_and_planted_losers_are_twins_at_a_strength_of_the_base(preferring: Path) -> None:
    def train_on(**changes: object) -> dict[str, Any]:
        set_params(preferring, {"train": {"method": "dpo"}, **changes})  # type: ignore[dict-item]
        for name in ("resolve", "losers", "encode", "train"):
            done = stage(preferring, f"stages.{name}")
            assert done.returncode == 0, done.stderr[-2000:]
        return json.loads((preferring / "metrics/train.json").read_text())

    run(preferring, "dvc", "unprotect", "data/encoded", "models/lora")
    fresh = metrics(preferring)["train"]
    assert not (preferring / "data/encoded/origins.json").exists() and "dpo_beta" not in fresh
    own = train_on(**{"train.dpo": {"noise": "own"}})
    origins = json.loads((preferring / "data/encoded/origins.json").read_text())
    assert {origin["source"] for origin in origins["loser"].values()} == {"base"}
    assert own["lora_sha256"] != fresh["lora_sha256"]
    dpo = {"noise": None, "beta": 20.0, "beta_unit": "base_error"}
    planted = train_on(**{"train.dpo": dpo, "losers": {"source": "planted", "per_prompt": 3}})
    assert planted["provenance"]["n_losers"] == 6 and 20 / planted["dpo_beta"] < 10
    origins = json.loads((preferring / "data/encoded/origins.json").read_text())
    # Six images were collected, so each that was kept has its twin.
    seeds = {origin["seed"] for origin in origins["loser"].values()}
    assert {origin["source"] for origin in origins["loser"].values()} == {"planted"} and len(seeds) == 6
    assert {origin["seed"] for origin in origins["instance"].values()} <= seeds


@pytest.fixture
def blind() -> Iterator[str]:
    """The name of a detector that finds no anomaly anywhere."""
    kinds = make_detector("drawn_people", load_params().detectors).kinds
    with serve_blind_detector(kinds, port=0) as server:
        yield f"endpoint:http://127.0.0.1:{server.server_address[1]}#hadm"
        server.shutdown()


def test_rewards_teach_end_to_end_and_a_killed_run_ends_with_the_same_file(copied: Path, blind: str) -> None:
    """Rounds of four images and two steps, and a diversity that four images may lose by chance."""
    nft = {"images_per_prompt": 2, "passes": 1, "min_diversity": 0.0, "sample_steps": 2}
    # Neither may a guard stop it: two sampling steps draw nobody right.
    changes = ["train.steps=6", "train.monitor.max_held_out_rate=none"]
    changes += (f"train.nft.{key}={value}" for key, value in nft.items())
    changes.append(f"train.nft.second_detector='{blind}'")
    run(copied, "dvc", "exp", "run", "-S", "train.method=nft", *(word for c in changes for word in ("-S", c)))
    found = metrics(copied)
    trained = found["train"]
    assert trained["rounds"] == 3 and trained["provenance"]["n"] == 3 * 4 and trained["provenance"]["n_class"] == 4
    assert list(trained["by_round"]) == ["0", "2", "4"]
    assert [each["second_anomaly_rate"] for each in trained["by_round"].values()] == [0, 0, 0]
    assert (copied / "metrics/training/plots/metrics/held_out_anomaly_rate.tsv").exists()
    assert not (copied / "data/encoded/instance.safetensors").exists()
    assert found["verdict"]["verdict"] in {"corrected", "not_corrected", "inconclusive"}
    recipes = [json.loads(path.read_text()) for path in (copied / ".samples").glob("*/recipe.json")]
    steps = {(one["batches"][0][0][1] >= 800000, one["steps"]) for one in recipes if "batches" in one}
    assert steps == {(True, 2), (False, 4)}, "rounds, and evaluations"
    expected = sha256(copied / "models/lora/pytorch_lora_weights.safetensors")
    assert expected == trained["lora_sha256"]
    dying = [
        "import os, runpy, signal, anomend.training.loop as loop",
        "step = loop.LoraTrainer.step",
        "def dies(self):",
        "    if self.progress.done == 5:",
        "        os.kill(os.getpid(), signal.SIGKILL)",
        "    return step(self)",
        "loop.LoraTrainer.step = dies",
        "runpy.run_module('stages.train', run_name='__main__')",
    ]
    shutil.rmtree(copied / "models/lora")
    assert run(copied, "python", "-c", "\n".join(dying), check=False).returncode == -9
    again = stage(copied, "stages.train")
    assert again.returncode == 0 and "resuming after step" in again.stdout + again.stderr, again.stderr[-2000:]
    assert sha256(copied / "models/lora/pytorch_lora_weights.safetensors") == expected


@pytest.mark.parametrize(
    ("section", "value", "sentence"),
    [
        ("train", {"class_batch_size": 0, "launcher": ["nowhere"]}, "the command 'nowhere' does not exist"),
        ("train", {"quantise_base": "nf4"}, "train.quantise_base = 'nf4' needs the package bitsandbytes"),
        ("train", {"optimizer": "adamw_8bit"}, "train.optimizer = 'adamw_8bit' needs the package bitsandbytes"),
        ("train.monitor", {"trackers": ["wandb"]}, "train.monitor.trackers = [wandb] needs the package wandb"),
        ("train.monitor", {"first_seed": 20005}, "reaches into the seeds of sample.first_seed"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_wrong_recipe_is_one_sentence(refusing: Path, section: str, value: dict[str, object], sentence: str) -> None:
    set_params(refusing, {section: value})
    done = stage(refusing, "stages.resolve")
    if done.returncode == 0:
        done = stage(refusing, "stages.train")
    run(refusing, "git", "checkout", "-q", "params.yaml")
    assert done.returncode != 0 and sentence in done.stderr and "Traceback" not in done.stderr
    assert (refusing / "data/encoded/instance.safetensors").exists()


def test_wrong_instance_images_are_one_sentence_and_nothing_is_lost(copied: Path) -> None:
    run(copied, "dvc", "unprotect", "data/instance")
    folder, encoded = copied / "data/instance", copied / "data/encoded/instance.safetensors"
    before, metadata = sha256(encoded), (folder / "metadata.jsonl").read_text()
    image = next(iter(sorted(folder.glob("*.png"))))
    whole = image.read_bytes()

    def refused(sentence: str) -> None:
        done = stage(copied, "stages.encode")
        assert done.returncode == 1 and sentence in done.stderr and "Traceback" not in done.stderr
        assert sha256(encoded) == before

    image.write_bytes(whole[: len(whole) // 2])
    refused(f"{image.relative_to(copied)} is not the picture that was written there")
    image.unlink()
    refused(f"{image.relative_to(copied)} is listed in metadata.jsonl and is missing")
    image.write_bytes(whole)
    rows = [json.loads(line) for line in metadata.splitlines()]
    (folder / "metadata.jsonl").write_text("\n".join(json.dumps(row | {"text": ""}) for row in rows))
    refused("has no caption (`text`)")
    (folder / "metadata.jsonl").write_text("\n")
    refused("lists no image")
    shutil.rmtree(folder)
    refused("data/instance has no metadata.jsonl")


def test_a_full_disk_while_checkpointing_loses_no_step_that_was_saved(copied: Path) -> None:
    set_params(copied, {"train": {"steps": 12, "checkpoint_every": 4}})
    assert stage(copied, "stages.resolve").returncode == 0
    # A file size limit stands for a full disk: the checkpoint of step 8 cannot be written, that of step 4 could.
    limited = [
        "import resource, runpy, anomend.training.loop as loop",
        "save = loop.LoraTrainer.save",
        "def limit(self):",
        "    if self.progress.done == 8:",
        "        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))",
        "    save(self)",
        "loop.LoraTrainer.save = limit",
        "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)",
        "runpy.run_module('stages.train', run_name='__main__')",
    ]
    done = run(copied, "python", "-c", "\n".join(limited), check=False)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "nothing finished is lost" in done.stderr
    assert [path.name for path in copied.glob(".checkpoints/train/*/state-*")] == ["state-0000004.safetensors"]
    again = stage(copied, "stages.train")
    assert again.returncode == 0 and "resuming after step 4" in again.stdout + again.stderr
