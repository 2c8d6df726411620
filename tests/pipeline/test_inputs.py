"""Inputs that parameters name: what changes their digests and what does not, and what is said where one is missing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from anomend.params.params import Params
from anomend.params.profiles import merge
from anomend.pipeline import contents
from anomend.pipeline.contents import KnownDigests, folder_digest
from anomend.pipeline.inputs import absent_inputs, input_digests, named_inputs
from anomend.pipeline.resolved_files import write_files
from anomend.project.paths import INPUT_LINKS, INPUTS
from anomend.project.yaml_files import read_yaml
from tests.conftest import ROOT
from tests.parameters import params_of, user_params


def params(**changes: dict[str, Any]) -> Params:
    return params_of(merge(user_params(), changes))


OWN = params(collect={"source": "folder"})


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project whose own pictures are there."""
    (tmp_path / "data/own/sub").mkdir(parents=True)
    (tmp_path / "data/survey").mkdir()
    (tmp_path / "data/labels").mkdir()
    (tmp_path / "data/own/a.png").write_bytes(b"a")
    (tmp_path / "data/own/sub/b.png").write_bytes(b"b")
    return tmp_path


def pictures(project: Path) -> Any:
    return input_digests(project, OWN)["collect"]["folder"]["path"]


def test_every_parameter_that_names_a_file_to_read_is_an_input_with_a_link_that_dvc_compares() -> None:
    """Run settings and files that are pinned by a digest of their own are none."""
    pinned = {"detectors.photographs.networks", "collect.paper.path"}
    paths = {"base.local_folder", "collect.folder.path", "survey.responses", "label.labels", "label.gold"}
    paths |= {f"collect.openai.{name}_template" for name in ("individual", "context")}
    paths |= {f"detectors.rtdetr.{name}_model" for name in ("person", "pose")}
    paths |= {f"{section}.detector" for section in ("measure", "class_images", "losers", "train.monitor", "train.nft")}
    paths |= {
        "collect.base.detector",
        "collect.base.model",
        "sample.tuned.best_of.detector",
        "train.nft.second_detector",
    }
    paths |= {"scan.suite", "scan.labels", "train.labelled.pictures", "train.labelled.labels"}
    paths |= {"train.external.file", "sample.against.file"}
    assert set(named_inputs(OWN)) == paths and not paths & pinned
    outs = read_yaml(ROOT / "dvc.yaml")["stages"]["resolve"]["outs"]
    links = {path: options for out in outs for path, options in out.items() if path.startswith(str(INPUT_LINKS))}
    assert set(links) == {str(INPUT_LINKS / name) for name in paths}
    # Without `persist` DVC would try to delete what a link leads to before each run.
    assert all(options == {"cache": False, "persist": True} for options in links.values())


@pytest.mark.parametrize("change", ["edit", "add", "remove", "rename"])
def test_a_change_of_contents_changes_the_digest_and_its_reversal_changes_it_back(project: Path, change: str) -> None:
    own, before = project / "data/own", pictures(project)
    assert before.startswith("data/own sha256:")
    if change == "edit":
        (own / "sub/b.png").write_bytes(b"c")
    elif change == "add":
        (own / "c.png").write_bytes(b"c")
    elif change == "remove":
        (own / "a.png").unlink()
    else:
        (own / "a.png").rename(own / "z.png")
    assert pictures(project) not in (before, None)
    for path in own.rglob("?.png"):
        path.unlink()
    (own / "a.png").write_bytes(b"a")
    (own / "sub/b.png").write_bytes(b"b")
    os.utime(own / "a.png", (1, 1))
    for noise in (".gitignore", "pictures.dvc", ".DS_Store"):
        (own / noise).write_text("x")
    assert pictures(project) == before


def test_what_is_not_read_is_no_input(project: Path) -> None:
    digests = input_digests(project, params())
    assert digests["collect"] == {
        "folder": {"path": None},
        "openai": dict.fromkeys(digests["collect"]["openai"]),
        "base": {"model": None, "detector": None, "sampling": None},
    }
    other = params(base={"dtype": "bfloat16"}, sample={"steps": 3}, collect={"base": {"detector": "none"}})
    assert input_digests(project, other)["collect"] == digests["collect"]
    assert digests["base"] == {"local_folder": None}
    (project / "data/survey/README.md").write_text("not an answer")
    assert input_digests(project, params()) == digests
    (project / "data/survey/one.csv").write_text("x")
    assert input_digests(project, params())["survey"] != digests["survey"]


@pytest.mark.parametrize("detector", ["objects", "segformer"])
def test_of_a_detector_s_folder_more_counts_than_the_weights_that_its_name_pins(project: Path, detector: str) -> None:
    folder = project / "data/detector"
    folder.mkdir()
    (folder / "config.json").write_text("extra arm")
    name = f"{detector}:data/detector@{'0' * 64}"

    def digests() -> dict[str, Any]:
        return input_digests(project, params(measure={"detector": name}, losers={"detector": name}))

    before = digests()
    assert before["measure"]["detector"].startswith("data/detector sha256:")
    # Preference training alone samples losers.
    assert before["losers"] == {"detector": None}
    unused = {"labelled": {"pictures": None, "labels": None}, "external": {"file": None}}
    rewards = {"detector": None, "second_detector": None}
    assert before["train"] == {"monitor": {"detector": None}, "nft": rewards} | unused
    (folder / "config.json").write_text("extra leg")
    assert digests()["measure"] != before["measure"]
    endpoint = f"endpoint:http://127.0.0.1:8000/v1#sdg?model=m&instructions=words.txt&sha256={'0' * 64}"
    for other in (f"objects:owner/detector@{'0' * 40}", endpoint):
        assert input_digests(project, params(measure={"detector": other}))["measure"] == {"detector": None}


def test_an_input_that_is_not_here_counts_as_recorded_and_an_unknown_one_is_refused(project: Path) -> None:
    (recorded,) = [pictures(project)]
    write_files({INPUTS: input_digests(project, OWN)}, project)
    for name in ("a.png", "sub/b.png"):
        (project / "data/own" / name).unlink()
    assert pictures(project) == recorded and absent_inputs(project, OWN) == ["collect.folder.path"]
    elsewhere = params(collect={"source": "folder", "folder": {"path": "data/mine", "caption": None}})
    with pytest.raises(ValueError, match=r"collect\.folder\.path = 'data/mine' has no pictures: put yours there"):
        absent_inputs(project, elsewhere)
    with pytest.raises(ValueError, match=r"base\.local_folder = '/nonexistent' is not on this machine"):
        absent_inputs(project, params(base={"local_folder": "/nonexistent"}))


def test_a_large_file_is_read_again_only_after_a_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "LARGE", 4)
    read: list[Path] = []
    whole = contents.sha256_of
    monkeypatch.setattr(contents, "sha256_of", lambda path: read.append(path) or whole(path))
    weights = tmp_path / "base/weights.safetensors"
    weights.parent.mkdir()
    weights.write_bytes(b"weights")

    def digest() -> str:
        known = KnownDigests(tmp_path / "known.json")
        found = folder_digest(weights.parent, known, endings=None, label="base")
        known.keep()
        return found

    first = digest()
    assert digest() == first and len(read) == 1
    times = weights.stat()
    weights.write_bytes(b"WEIGHTS")
    os.utime(weights, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert digest() != first and len(read) == 2
    (tmp_path / "known.json").write_text("broken")
    weights.write_bytes(b"weights")
    assert digest() == first


def test_labelled_pictures_and_labels_count_where_training_learns_from_them(project: Path) -> None:
    (project / "data/labelled").mkdir()
    (project / "data/labelled/metadata.jsonl").write_text("{}")
    (project / "data/labels/one.csv").write_text("picture")
    labelled = {"pictures": "data/labelled", "labels": "data/labels"}

    def digests(method: str) -> Any:
        return input_digests(project, params(train={"method": method, "labelled": labelled}))["train"]["labelled"]

    assert digests("nft") == {"pictures": None, "labels": None}
    before = digests("labels")
    (project / "data/labels/README.md").write_text("not a label")
    assert digests("labels") == before
    (project / "data/labels/one.csv").write_text("another")
    after = digests("labels")
    assert after["labels"] != before["labels"] and after["pictures"] == before["pictures"]


def test_labels_count_for_a_scan_where_people_judge_it(project: Path) -> None:
    (project / "data/labels").mkdir(exist_ok=True)
    by_detector, people = params(), params(scan={"evidence": "people"})

    def digests(of: Params) -> dict[str, Any]:
        found: dict[str, Any] = input_digests(project, of)["scan"]
        return found

    assert (digests(by_detector)["labels"], digests(by_detector)["labelling"]) == (None, None)
    before = digests(people)
    assert before["labelling"]["raters_per_picture"] == people.label.raters_per_picture
    (project / "data/labels/a.csv").write_text("picture\n")
    assert digests(people)["labels"] != before["labels"] and digests(by_detector)["labels"] is None
    assert digests(people)["labelling"] == before["labelling"]


def test_what_the_source_base_samples_with_counts_where_it_is_used(project: Path) -> None:
    """The same parameters as for class images, whose stage names them in dvc.yaml."""
    folder = project / "models/mini"
    folder.mkdir(parents=True)
    (folder / "model_index.json").write_text("{}")

    def digests(**changes: dict[str, Any]) -> Any:
        values = params(**{"collect": {"source": "base", **changes.pop("collect", {})}, **changes})
        return input_digests(project, values)["collect"]["base"]

    before = digests()
    declared = read_yaml(ROOT / "dvc.yaml")["stages"]["class_images"]["params"][0]["resolved/params.json"]
    named = {"base", *(f"sample.{name}" for name in before["sampling"]["sample"])}
    assert named == {*declared} - {"class_images"} and set(before["sampling"]) == {"base", "sample"}
    assert digests(sample={"batch_size": 3}, base={"device": "cpu"}) == before
    for changes in ({"sample": {"steps": 3}}, {"base": {"dtype": "bfloat16"}}, {"sample": {"guidance_scale": 1.0}}):
        assert digests(**changes)["sampling"] != before["sampling"]
    (folder / "README.md").write_text("not a weight")
    assert digests() == before and before["model"].startswith("models/mini sha256:")
    (folder / "model_index.json").write_text("{ }")
    assert digests()["model"] != before["model"]
    # In a mixture too; a base on the hub is pinned by its revision.
    assert digests(collect={"source": "folder", "mix": {"base": 2}})["model"]
    detector = {"base": {"detector": "photographs"}}
    hub = digests(base={"name": "sd3-medium"}, **_without_the_checker(), collect=detector)
    assert hub["model"] is None and hub["sampling"]["base"]["name"] == "sd3-medium"


def _without_the_checker() -> dict[str, Any]:
    none = {"detector": "none"}
    return {
        **dict.fromkeys(("measure", "class_images", "losers"), none),
        "sample": {"tuned": {"best_of": none}},
        "train": {"nft": none, "monitor": none | {"patience": 0, "keep": "last"}},
        "judge": {"judges": []},
    }


def test_a_base_whose_files_are_not_here_is_named(project: Path) -> None:
    with pytest.raises(ValueError, match="models/mini, the base that the source base samples, is not on this machine"):
        absent_inputs(project, params(collect={"source": "base"}))


def test_a_lora_of_another_program_counts_with_pefts_configuration_and_one_of_the_hub_is_pinned(project: Path) -> None:
    peft = project / "data/peft"
    peft.mkdir()
    for name in ("adapter_model.safetensors", "adapter_config.json", "README.md", "optimizer.pt"):
        (peft / name).write_text(name)
    named = {"file": "data/peft", "author": "Ann"}

    def digest() -> Any:
        both = params(train={"method": "external", "external": named}, sample={"against": named})
        digests = input_digests(project, both)
        assert digests["train"]["external"] == digests["sample"]["against"]
        return digests["train"]["external"]["file"]

    before = digest()
    (peft / "README.md").write_text("other words")
    assert digest() == before and before.startswith("data/peft sha256:")
    (peft / "adapter_config.json").write_text("another alpha")
    assert digest() != before
    hub = {"file": "a.safetensors", "repository": "ann/lora", "revision": "0" * 40}
    assert named_inputs(params(sample={"against": hub}))["sample.against.file"] is None
