"""Wrong parameters are refused in one sentence with key, value and what is allowed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from anomend.params.profiles import merge, resolve
from anomend.params.resolved import load_params
from anomend.project.yaml_files import read_yaml
from commands.parameter_docs import parameter_docs
from tests.conftest import ROOT

Raw = dict[str, Any]


def test_the_committed_parameters_resolve(raw_params: Raw) -> None:
    assert resolve(raw_params).base.name == "mini"


def test_every_profile_resolves(raw_params: Raw) -> None:
    for profile in raw_params["profiles"]:
        assert resolve(raw_params | {"profile": profile}).profile == profile


def test_a_profile_changes_only_its_own_leaves(raw_params: Raw) -> None:
    raw_params["profiles"]["small"] = {"train": {"rank": 2}}
    raw_params["profile"] = "small"
    changed, plain = resolve(raw_params), resolve(raw_params | {"profile": "mini"})
    assert changed.train.rank == 2
    assert changed.model_dump(exclude={"profile", "train"}) == plain.model_dump(exclude={"profile", "train"})
    assert changed.train.model_dump(exclude={"rank"}) == plain.train.model_dump(exclude={"rank"})


@pytest.mark.parametrize(
    ("section", "key", "value", "said"),
    [
        ("train", "rank", 0, "train.rank = 0: input should be greater than or equal to 1"),
        ("train", "learning_rate", -1e-4, "train.learning_rate = -0.0001: input should be greater than 0"),
        ("train", "steps", "many", "train.steps = 'many'"),
        ("verdict", "max_copy_rate", 1.5, "verdict.max_copy_rate = 1.5: input should be less than or equal to 1"),
        ("sample", "guidance_scale", 0.5, "sample.guidance_scale = 0.5: input should be greater than or equal to 1"),
        ("base", "resolution", 65, "base.resolution = 65: input should be a multiple of 16"),
        ("base", "name", "sd9", "base.name = 'sd9': input should be 'mini'"),
        ("prompts", "target", [], "prompts.target = []"),
        ("prompts", "target", ["  "], "prompts.target.0 = '  '"),
    ],
)
def test_a_value_out_of_range_is_named_with_its_range(
    raw_params: Raw, section: str, key: str, value: object, said: str
) -> None:
    raw_params[section][key] = value
    with pytest.raises(ValueError) as refused:
        resolve(raw_params)
    assert said in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


def test_every_problem_gets_its_sentence(raw_params: Raw) -> None:
    raw_params["train"] |= {"rank": 0, "steps": 0}
    with pytest.raises(ValueError) as refused:
        resolve(raw_params)
    assert len(str(refused.value).splitlines()) == 2


def test_an_unknown_profile_names_the_known_ones(raw_params: Raw) -> None:
    with pytest.raises(ValueError, match=r"profile = 'huge' is not known: choose one of .*mini"):
        resolve(raw_params | {"profile": "huge"})


def test_a_misspelt_key_is_refused(raw_params: Raw) -> None:
    raw_params["train"]["rnak"] = 4
    with pytest.raises(ValueError, match=r"train\.rnak is no parameter"):
        resolve(raw_params)


def test_a_missing_key_is_named(raw_params: Raw) -> None:
    del raw_params["train"]["seed"]
    with pytest.raises(ValueError, match=r"train\.seed is missing"):
        resolve(raw_params)


def test_a_prompt_cannot_be_target_and_held_out(raw_params: Raw) -> None:
    raw_params["prompts"]["held_out"].append("lying on the grass")
    with pytest.raises(ValueError, match="'lying on the grass' stands in target and in held_out"):
        resolve(raw_params)


def test_prompts_whose_images_would_have_the_same_names_are_refused(raw_params: Raw) -> None:
    raw_params["prompts"]["held_out"].append("Lying on the grass!")
    with pytest.raises(ValueError, match=r"'lying on the grass' and 'Lying on the grass!' differ in punctuation"):
        resolve(raw_params)


def test_the_bounds_of_a_number_are_told_whatever_is_wrong(raw_params: Raw) -> None:
    raw_params["train"]["rank"] = "many"
    raw_params["curate"]["criteria"]["min_area"] = 2
    with pytest.raises(ValueError) as refused:
        resolve(raw_params)
    both = str(refused.value).splitlines()
    assert [line.partition(" (")[2] for line in both] == ["at least 0, at most 1)", "at least 1, at most 1024)"]


def test_class_images_cannot_use_a_held_out_prompt(raw_params: Raw) -> None:
    raw_params["class_images"]["prompts"].append("standing on the grass")
    with pytest.raises(ValueError, match="a held-out prompt"):
        resolve(raw_params)


@pytest.mark.parametrize(
    ("profile", "changes", "said"),
    [
        ("sd3-medium", {"measure": {"detector": "figures"}}, "measure.detector = 'figures' is the checker of the mini"),
        ("sd3.5-large", {"train": {"monitor": {"detector": "figures"}}}, "train.monitor.detector = 'figures' is the"),
        ("paper", {"class_images": {"detector": "figures"}}, "class_images.detector = 'figures' is the checker"),
        ("sd3.5-medium", {"losers": {"detector": "figures"}}, "losers.detector = 'figures' is the checker"),
        ("sd3-medium", {"curate": {"detector": "figures"}}, "curate.detector = 'figures' is the checker"),
        ("sd3-medium", {"judge": {"parts": "figures"}}, "judge.parts = 'figures' is the checker"),
        ("mini", {"measure": {"detector": "none"}}, "judge.judges names anatomy"),
        ("mini", {"train": {"method": "dpo"}, "losers": {"detector": "none"}}, "finds no losers for train.method"),
        ("mini", {"measure": {"detector": "My Eyes"}}, "measure.detector = 'My Eyes'"),
    ],
)
def test_a_detector_that_has_nothing_to_say_is_refused(raw_params: Raw, profile: str, changes: Raw, said: str) -> None:
    raw_params["profiles"][profile] = merge(raw_params["profiles"][profile], changes)
    with pytest.raises(ValueError) as refused:
        resolve(raw_params | {"profile": profile})
    assert said in str(refused.value) and len(str(refused.value).splitlines()) == 1


def test_profiles_of_real_bases_are_not_looked_at_by_the_miniatures_checker(raw_params: Raw) -> None:
    for profile in set(raw_params["profiles"]) - {"mini"}:
        assert "figures" not in resolve(raw_params | {"profile": profile}).anatomy_detectors().values()


def test_a_detector_that_cannot_run_here_is_refused_by_the_stage(tmp_path: Path, raw_params: Raw) -> None:
    raw_params["profiles"]["mini"] = {"measure": {"detector": "eyes"}}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(raw_params))
    command, path = [sys.executable, "-m", "stages.resolve"], os.pathsep.join([str(ROOT), str(tmp_path)])
    done = subprocess.run(
        command, cwd=tmp_path, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1 and not (tmp_path / "params.resolved.yaml").exists()
    assert "measure.detector = 'eyes': unknown anatomy detector" in done.stderr and "Traceback" not in done.stderr


def test_merging_replaces_lists_and_descends_into_sections() -> None:
    assert merge({"a": {"b": 1, "c": [1, 2]}}, {"a": {"c": [3]}}) == {"a": {"b": 1, "c": [3]}}


def test_resolved_parameters_are_validated_again(tmp_path: Path, raw_params: Raw) -> None:
    path = tmp_path / "params.resolved.yaml"
    dumped = resolve(raw_params).model_dump(mode="json")
    path.write_text(yaml.safe_dump(dumped))
    assert load_params(path) == resolve(raw_params)
    dumped["train"]["rank"] = -3
    path.write_text(yaml.safe_dump(dumped))
    with pytest.raises(ValueError, match=r"train\.rank = -3"):
        load_params(path)


def test_a_missing_or_broken_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="run `dvc repro resolve`"):
        read_yaml(tmp_path / "params.resolved.yaml")
    broken = tmp_path / "broken.yaml"
    broken.write_text("a: [1, 2")
    with pytest.raises(ValueError, match="is no valid YAML"):
        read_yaml(broken)


def test_the_parameter_page_is_the_models_own() -> None:
    assert (ROOT / "docs" / "parameters.md").read_text() == parameter_docs(), "run `make docs`"
