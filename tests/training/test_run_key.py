"""Which settings, data and code make a training run another run, whose checkpoints are not shared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from anomend.params.params import Params
from anomend.params.profiles import merge, read_profile, validated
from anomend.training.run_key import run_identity, run_key
from tests.conftest import ROOT


def params(**changes: Any) -> Params:
    return validated({"profile": "mini"} | merge(read_profile("mini", ROOT / "profiles"), changes))


def key(folder: Path, base_weights: str = "weights", code: str = "code", **changes: Any) -> str:
    (folder / "instance.safetensors").touch()
    return run_key(run_identity(params(**changes), encoded=folder, base_weights=base_weights, code=code))


def test_another_recipe_base_or_code_is_another_run(tmp_path: Path) -> None:
    keys = [
        key(tmp_path),
        key(tmp_path, base_weights="other"),
        key(tmp_path, code="other"),
        key(tmp_path, train={"steps": 299}),
        key(tmp_path, train={"monitor": {"every": 7}}),
        key(tmp_path, base={"dtype": "bfloat16"}),
        key(tmp_path, sample={"steps": 3}),
    ]
    assert len(set(keys)) == len(keys)


def test_run_settings_are_the_same_run(tmp_path: Path) -> None:
    keys = {
        key(tmp_path),
        key(tmp_path, train={"launcher": ["accelerate", "launch"]}),
        key(tmp_path, train={"checkpoint_every": 1}),
        key(tmp_path, train={"monitor": {"trackers": ["tensorboard"]}}),
        key(tmp_path, train={"micro_batch_size": 1}),
        key(tmp_path, train={"gradient_checkpointing": True}),
        key(tmp_path, train={"compile": "whole"}),
        key(tmp_path, sample={"batch_size": 3}),
        key(tmp_path, base={"device": "cpu"}),
        # Not run settings, but nothing that training uses.
        key(tmp_path, sample={"target_seeds_per_prompt": 3}),
        key(tmp_path, judge={"repeats": 3}),
    }
    assert len(keys) == 1


def test_other_encoded_images_are_another_run(tmp_path: Path) -> None:
    before = key(tmp_path)
    (tmp_path / "instance.safetensors").write_bytes(b"other")
    changed = key(tmp_path)
    (tmp_path / "class.safetensors").touch()
    assert len({before, changed, key(tmp_path)}) == 3
