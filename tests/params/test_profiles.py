"""Defaults, profile and settings come together as they should, and wrong ones are refused in one sentence."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from copy import deepcopy
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import yaml
from ruamel.yaml import YAML

from anomend.params.params import Params
from anomend.params.profiles import (
    DEFAULT,
    is_section,
    merge,
    read_profile,
    resolve,
    set_by_user,
)
from anomend.params.resolved import load_params, split
from anomend.project.yaml_files import read_yaml
from anomend.scanning.overlays import NAME
from commands.parameter_docs import parameter_docs
from tests.conftest import ROOT
from tests.parameters import NAMES, PROFILES, params_of, user_params, write_params

Raw = dict[str, Any]
FILES = [
    path.relative_to(PROFILES).with_suffix("").as_posix() for path in PROFILES.rglob("*.yaml") if path.stem != NAME
]


def leaves(values: Mapping[str, Any], section: Any = Params, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every parameter by its dotted key; what is not a section is one parameter."""
    for key, value in values.items():
        inner = section.model_fields[key].annotation
        if is_section(inner):
            yield from leaves(value, inner, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def with_leaf(values: Raw, key: str, value: object) -> Raw:
    *sections, leaf = key.split(".")
    found = values
    for section in sections:
        found = found[section]
    assert leaf in found
    found[leaf] = value
    return values


def test_the_committed_parameters_resolve(raw_params: Raw) -> None:
    assert params_of(raw_params).base.name == "mini"


def test_the_defaults_have_every_parameter_and_nothing_is_set_by_the_user() -> None:
    expected = {key for key, _ in leaves(params_of(user_params()).model_dump())} - {"profile"}
    defaults = read_yaml(PROFILES / f"{DEFAULT}.yaml")
    assert {key for key, _ in leaves(defaults)} == expected
    user = user_params()
    user.pop("profile")
    assert {key for key, _ in leaves(user)} == expected and not set_by_user(user, Params)


@pytest.mark.parametrize("name", FILES)
def test_no_profile_repeats_what_it_inherits(name: str) -> None:
    profile = read_yaml(PROFILES / f"{name}.yaml")
    if name == DEFAULT:
        return
    inherited = dict(leaves(read_profile(profile.pop("inherits", DEFAULT), PROFILES)))
    assert [key for key, value in leaves(profile) if inherited[key] == value] == []


@pytest.mark.parametrize("name", NAMES)
def test_every_profile_resolves_and_its_name_works_on_the_command_line(raw_params: Raw, name: str) -> None:
    assert params_of(raw_params | {"profile": name}).profile == name
    # A dot in a name would be read as a key of a key.
    assert name.replace("-", "").isalnum()


@pytest.mark.parametrize("profile", NAMES)
def test_what_the_user_sets_wins_over_every_profile_leaf_by_leaf(profile: str) -> None:
    """Also where it equals the default: the value of `mini` for each leaf of the profile, and the other way round."""
    mini, other = (params_of(user_params() | {"profile": name}).model_dump() for name in ("mini", profile))
    unset = {key: value for key, value in user_params().items() if key != "profile"}
    for base, changed in ((profile, mini), ("mini", other)):
        of_base = read_profile(base, PROFILES)
        for key, value in leaves(changed):
            if key == "profile":
                continue
            user = with_leaf(deepcopy(unset), key, "none" if value is None else value)
            assert dict(leaves(merge(of_base, set_by_user(user, Params))))[key] == value, key


def test_a_profile_changes_only_its_own_leaves(tmp_path: Path, raw_params: Raw) -> None:
    shutil.copytree(PROFILES, tmp_path / "profiles")
    (tmp_path / "profiles" / "small.yaml").write_text("train:\n  rank: 2\n")
    changed, plain = (resolve(raw_params | {"profile": name}, tmp_path / "profiles") for name in ("small", "mini"))
    assert changed.train.rank == 2
    assert changed.model_dump(exclude={"profile", "train"}) == plain.model_dump(exclude={"profile", "train"})
    assert changed.train.model_dump(exclude={"rank"}) == plain.train.model_dump(exclude={"rank"})


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("inherits: small\n", "small.yaml inherits itself (small -> small): remove an `inherits`"),
        ("inherits: nowhere\n", "nowhere.yaml is missing"),
        ("train:\n  rnak: 2\n", "small.yaml: train.rnak is not a parameter: remove it or fix its spelling"),
        ("- rank\n", "small.yaml does not hold a mapping of sections"),
    ],
)
def test_a_broken_profile_is_one_sentence_that_names_its_file(tmp_path: Path, content: str, sentence: str) -> None:
    shutil.copytree(PROFILES, tmp_path, dirs_exist_ok=True)
    (tmp_path / "small.yaml").write_text(content)
    with pytest.raises(ValueError) as refused:
        resolve(user_params() | {"profile": "small"}, tmp_path)
    assert sentence in str(refused.value) and len(str(refused.value).splitlines()) == 1


def test_profiles_in_params_yaml_are_refused_with_their_new_place() -> None:
    with pytest.raises(ValueError, match=r"move it to profiles/NAME\.yaml"):
        params_of(user_params() | {"profiles": {"mini": {}}})


@pytest.mark.parametrize("name", ["params.yaml", "dvc.yaml", "scan/dvc.yaml"])
def test_the_file_is_as_dvc_writes_it_back(name: str) -> None:
    """DVC loads and dumps with ruamel's round trip; a file that is its fixed point shows only what was changed."""
    yaml_of_dvc, text, again = YAML(), (ROOT / name).read_text(), StringIO()
    yaml_of_dvc.default_flow_style = False
    yaml_of_dvc.dump(yaml_of_dvc.load(text), again)
    assert again.getvalue() == text


def test_run_settings_and_what_results_depend_on_are_all_parameters_each_once(raw_params: Raw) -> None:
    params = params_of(raw_params)
    results, run = split(params)
    of_results, of_run = dict(leaves(results)), dict(leaves(run))
    assert not set(of_results) & set(of_run)
    assert of_results | of_run == dict(leaves(params.model_dump(mode="json")))
    assert {"train.launcher", "train.compile", "train.micro_batch_size", "base.device", "sample.batch_size"} <= set(
        of_run
    )
    assert {"train.rank", "train.batch_size", "base.dtype", "sample.steps", "judge.batch"} <= set(of_results)


@pytest.mark.parametrize(
    ("section", "key", "value", "said"),
    [
        ("train", "rank", 0, "train.rank = 0: input should be greater than or equal to 1"),
        ("train", "learning_rate", -1e-4, "train.learning_rate = -0.0001: input should be greater than 0"),
        ("train", "steps", "many", "train.steps = 'many'"),
        ("verdict", "max_copy_rate", 1.5, "verdict.max_copy_rate = 1.5: input should be less than 1"),
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
        params_of(raw_params)
    assert said in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("section", "key"), [("train", "class_batch_size"), ("train", "learning_rate"), ("base", "name")]
)
def test_what_yaml_reads_as_a_truth_value_is_not_taken_for_a_number(raw_params: Raw, section: str, key: str) -> None:
    raw_params[section][key] = yaml.safe_load("off")
    with pytest.raises(ValueError, match=rf"{section}\.{key}.* false is not allowed here: write a number or a text"):
        params_of(raw_params)


def test_every_problem_gets_its_sentence(raw_params: Raw) -> None:
    raw_params["train"] |= {"rank": 0, "steps": 0}
    with pytest.raises(ValueError) as refused:
        params_of(raw_params)
    assert len(str(refused.value).splitlines()) == 2


def test_an_unknown_profile_names_the_known_ones(raw_params: Raw) -> None:
    with pytest.raises(ValueError, match=r"profile = 'huge' is not known: choose one of .*mini"):
        params_of(raw_params | {"profile": "huge"})


def test_a_misspelt_key_is_refused(raw_params: Raw) -> None:
    raw_params["train"]["rnak"] = 4
    with pytest.raises(ValueError, match=r"train\.rnak is not a parameter"):
        params_of(raw_params)


def test_a_key_that_is_left_out_of_params_yaml_keeps_the_profiles_value(raw_params: Raw) -> None:
    del raw_params["train"]["seed"]
    assert params_of(raw_params) == params_of(user_params())


def test_a_prompt_cannot_be_target_and_held_out(raw_params: Raw) -> None:
    raw_params["prompts"]["held_out"] = ["lying on the grass"]
    with pytest.raises(ValueError, match=r"'lying on the grass' is in prompts\.target and in prompts\.held_out"):
        params_of(raw_params)


@pytest.mark.parametrize(
    ("section", "values", "named"),
    [
        ("prompts", {"target": ["A person, lying on the snow."], "siblings": ["lying on the snow"]}, "prompts.target"),
        ("prompts", {"held_out": ["a photo of a person lying on the snow"]}, "prompts.held_out"),
        ("class_images", {"prompts": ["a photo of a person lying on the snow"]}, "class_images.prompts"),
        ("train", {"monitor": {"held_out_prompts": ["Lying on the snow"]}}, "train.monitor.held_out_prompts"),
    ],
)
def test_a_sibling_is_used_for_nothing_else(raw_params: Raw, section: str, values: Raw, named: str) -> None:
    """By content: other words for the same are refused too."""
    raw_params[section] |= values
    with pytest.raises(ValueError) as refused:
        params_of(raw_params)
    assert f"prompts.siblings holds 'lying on the snow', and {named} holds" in str(refused.value)
    raw_params["prompts"]["siblings"] = []
    assert params_of(raw_params).prompts.siblings == []


def test_siblings_are_of_the_target_that_they_were_set_with(raw_params: Raw, tmp_path: Path) -> None:
    assert params_of(raw_params).prompts.siblings == ["lying on the snow"]
    raw_params["prompts"]["target"] = ["sitting on the snow"]
    assert params_of(raw_params).prompts.siblings == []
    raw_params["prompts"]["siblings"] = ["kneeling on the snow"]
    assert params_of(raw_params).prompts.siblings == ["kneeling on the snow"]
    # A profile with a target of its own likewise.
    shutil.copytree(PROFILES, tmp_path, dirs_exist_ok=True)
    (tmp_path / "small.yaml").write_text("prompts: {target: [sitting on the snow]}\n")
    assert resolve(user_params() | {"profile": "small"}, tmp_path).prompts.siblings == []


def test_prompts_whose_images_would_have_the_same_names_are_refused(raw_params: Raw) -> None:
    raw_params["prompts"]["held_out"] = ["Lying on the grass!"]
    with pytest.raises(ValueError, match=r"'lying on the grass' and 'Lying on the grass!' differ in punctuation"):
        params_of(raw_params)


def test_messages_name_the_bounds_of_a_number(raw_params: Raw) -> None:
    raw_params["train"]["rank"] = "many"
    raw_params["curate"]["criteria"]["min_area"] = 2
    with pytest.raises(ValueError) as refused:
        params_of(raw_params)
    both = str(refused.value).splitlines()
    assert [line.partition(" (")[2] for line in both] == ["at least 0, at most 1)", "at least 1, at most 1024)"]


def test_class_images_cannot_use_a_held_out_prompt(raw_params: Raw) -> None:
    raw_params["class_images"]["prompts"] = ["standing on the grass"]
    with pytest.raises(ValueError, match="a held-out prompt"):
        params_of(raw_params)


@pytest.mark.parametrize("change", [{"evidence": "people"}, {"evidence": "people+machine"}, {"min_preference": 0.5}])
def test_people_cannot_be_asked_while_images_come_in(raw_params: Raw, change: Raw) -> None:
    raw_params["verdict"] |= change
    assert params_of(raw_params).verdict.looks == [1.0]
    raw_params["verdict"]["looks"] = [0.5, 1.0]
    with pytest.raises(
        ValueError, match=r"verdict\.looks with several looks decides while images come in, before people"
    ):
        params_of(raw_params)


def test_half_of_the_held_out_prompts_at_least_show_what_training_never_sees(raw_params: Raw) -> None:
    raw_params["prompts"]["held_out"] = ["standing on the grass", "Sitting, on the snow"]
    one = ["A photograph of a person: sitting on the snow.", "a photo of a person lying on the beach"]
    raw_params["class_images"]["prompts"] = one
    assert params_of(raw_params).preserved_prompts() == ["Sitting, on the snow"]
    raw_params["class_images"]["prompts"] = [*one, "a picture of a person standing on the grass"]
    with pytest.raises(ValueError, match="2 of the 2 prompts in prompts"):
        params_of(raw_params)
    # What no step sees preserves nothing.
    raw_params["train"]["class_batch_size"] = 0
    assert params_of(raw_params).preserved_prompts() == []


@pytest.mark.parametrize(
    ("profile", "changes", "said"),
    [
        (
            "sd3-medium",
            {"measure": {"detector": "drawn_people"}},
            "measure.detector = 'drawn_people' is the checker of the mini",
        ),
        (
            "sd35-large",
            {"train": {"monitor": {"detector": "drawn_people"}}},
            "train.monitor.detector = 'drawn_people' is the",
        ),
        (
            "paper",
            {"class_images": {"detector": "drawn_people"}},
            "class_images.detector = 'drawn_people' is the checker",
        ),
        ("sd35-medium", {"losers": {"detector": "drawn_people"}}, "losers.detector = 'drawn_people' is the checker"),
        ("sd3-medium", {"curate": {"detector": "drawn_people"}}, "curate.detector = 'drawn_people' is the checker"),
        ("sd3-medium", {"judge": {"parts": "drawn_people"}}, "judge.parts = 'drawn_people' is the checker"),
        ("mini", {"measure": {"detector": "none"}}, "judge.judges names anatomy"),
        (
            "mini",
            {"measure": {"detector": "none"}, "judge": {"judges": []}, "verdict": {"evidence": "people+machine"}},
            "set verdict.evidence to people",
        ),
        ("mini", {"train": {"method": "dpo"}, "losers": {"detector": "none"}}, "finds no losers for train.method"),
        ("mini", {"collect": {"source": "base", "base": {"detector": "none"}}}, "tells no right images of the base"),
        ("sd35-medium", {"collect": {"source": "base"}}, "tells no right images of the base from wrong ones"),
        (
            "sd35-medium",
            {"collect": {"source": "base", "base": {"detector": "drawn_people"}}},
            "collect.base.detector = 'drawn_people' is the checker",
        ),
        ("mini", {"measure": {"detector": "My Eyes"}}, "measure.detector = 'My Eyes'"),
    ],
)
def test_a_detector_that_has_nothing_to_say_is_refused(raw_params: Raw, profile: str, changes: Raw, said: str) -> None:
    with pytest.raises(ValueError) as refused:
        params_of(merge(raw_params, changes) | {"profile": profile})
    assert said in str(refused.value) and len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize(
    "key",
    [
        *("measure.detector", "class_images.detector", "losers.detector", "train.monitor.detector"),
        *("train.nft.detector", "train.nft.second_detector", "collect.base.detector"),
        *("curate.detector", "judge.parts", "collect.source"),
    ],
)
def test_the_former_name_of_drawn_people_is_refused_with_the_new_one(raw_params: Raw, key: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(key)}: 'figures' is now called 'drawn_people': write that$"):
        params_of(with_leaf(raw_params, key, "figures"))


def test_the_former_name_is_refused_in_the_mixture_too(raw_params: Raw) -> None:
    raw_params["collect"] |= {"source": "folder", "mix": {"figures": 5}}
    with pytest.raises(ValueError, match="'figures' is now called 'drawn_people'"):
        params_of(raw_params)


def test_profiles_of_real_bases_do_not_use_the_miniatures_checker(raw_params: Raw) -> None:
    for profile in set(NAMES) - {"mini", "mini-null"}:
        assert "drawn_people" not in params_of(raw_params | {"profile": profile}).anatomy_detectors().values()


def test_a_detector_that_cannot_run_here_is_refused_by_the_stage(tmp_path: Path, raw_params: Raw) -> None:
    raw_params["measure"]["detector"] = "eyes"
    shutil.copytree(PROFILES, tmp_path / "profiles")
    for name in ("dvc.yaml", "anomend", "stages", "requirements", "data"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(raw_params))
    command, path = [sys.executable, "-m", "stages.resolve"], os.pathsep.join([str(ROOT), str(tmp_path)])
    done = subprocess.run(
        command, cwd=tmp_path, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1 and not (tmp_path / "resolved/params.json").exists()
    assert "measure.detector = 'eyes': there is no detector" in done.stderr and "Traceback" not in done.stderr


def test_merging_replaces_lists_and_descends_into_sections() -> None:
    before = {"train": {"rank": 1, "trackers": [1, 2]}, "collect": {"mix": {"folder": 3}, "images": 5}}
    changes = {"train": {"trackers": [3]}, "collect": {"mix": {"paper": 2}}}
    after = {"train": {"rank": 1, "trackers": [3]}, "collect": {"mix": {"paper": 2}, "images": 5}}
    assert merge(before, changes) == after
    assert merge(before, {"collect": {"mix": {}}})["collect"] == {"mix": {}, "images": 5}


def test_resolved_parameters_are_validated_again(tmp_path: Path, raw_params: Raw) -> None:
    params = params_of(raw_params)
    write_params(tmp_path, params)
    assert load_params(tmp_path) == params
    path = tmp_path / "resolved/params.json"
    path.write_text(path.read_text().replace('"rank": 16', '"rank": -3'))
    with pytest.raises(ValueError, match=r"train\.rank = -3"):
        load_params(tmp_path)


def test_a_missing_or_broken_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="run `dvc repro resolve`"):
        load_params(tmp_path)
    broken = tmp_path / "broken.yaml"
    broken.write_text("a: [1, 2")
    with pytest.raises(ValueError, match="is not valid YAML"):
        read_yaml(broken)


@pytest.mark.parametrize("content", ["train: {rank: 8}\ntrain: {alpha: 4}\n", "train: {rank: 8, rank: 4}\n"])
def test_a_section_or_a_value_that_is_set_twice_is_refused_and_not_half_lost(tmp_path: Path, content: str) -> None:
    (tmp_path / "mine.yaml").write_text(content)
    with pytest.raises(
        ValueError, match=r"mine\.yaml is not valid YAML: (train|rank) is there twice: keep one .*line 1"
    ):
        read_yaml(tmp_path / "mine.yaml")


def test_the_parameter_page_is_the_models_own() -> None:
    assert (ROOT / "docs" / "parameters.md").read_text() == parameter_docs(), "run `make docs`"


@pytest.mark.parametrize("profile", NAMES)
def test_a_quick_run_has_at_most_what_its_file_says_and_the_rest_of_the_profile(raw_params: Raw, profile: str) -> None:
    limits = dict(leaves(yaml.safe_load((PROFILES / "levels" / "quick.yaml").read_text())))
    full, quick = (
        dict(leaves(params_of(raw_params | {"profile": profile, "level": level}).model_dump()))
        for level in ("full", "quick")
    )
    changed = {key for key in full if full[key] != quick[key]} - {"level"}
    assert {"train.steps", "sample.target_seeds_per_prompt"} <= changed <= set(limits)
    assert all(quick[key] == min(full[key], limit) for key, limit in limits.items())


def test_what_the_user_sets_wins_over_a_quick_run(raw_params: Raw) -> None:
    raw_params["train"]["steps"] = 900
    assert params_of(raw_params | {"level": "quick"}).train.steps == 900


def test_an_unknown_level_names_the_known_ones(raw_params: Raw) -> None:
    with pytest.raises(ValueError, match="level = 'fast': input should be 'full' or 'quick'"):
        params_of(raw_params | {"level": "fast"})
