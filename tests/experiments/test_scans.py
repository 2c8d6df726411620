"""The study of scans on simulated images: seeds of its own for each run, and a stopped study goes on where it was."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from anomend.params.params import Params
from anomend.scanning.rounds import Requests
from anomend.scanning.suites import Suite
from studies.experiments import scans
from tests.conftest import ROOT
from tests.parameters import params_of, user_params

RATES = {"lying on the grass": 0.81, "lying on the street": 0.81, "sitting on the snow": 0.8}


def test_runs_have_seeds_of_their_own_and_a_stopped_study_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    params, asked = params_of(user_params()), list[int]()
    folders: list[str | None] = []

    def pictures(of_base: Params, suite: Suite) -> SimpleNamespace:
        folders.append(of_base.base.local_folder)
        wrong = {} if of_base.base.local_folder else RATES

        def find(requests: Requests) -> dict[tuple[str, int], bool]:
            asked.extend(seed for _, seeds in requests for seed in seeds)
            rng = np.random.default_rng(asked[-1])
            drawn = [(prompt, seed) for prompt, seeds in requests for seed in seeds]
            return {(prompt, seed): bool(rng.random() < wrong.get(prompt, 0.02)) for prompt, seed in drawn}

        return SimpleNamespace(find=find)

    monkeypatch.setattr(scans, "load_params", lambda: params)
    monkeypatch.setattr(scans, "scan_pictures", pictures)
    weights: dict[str | None, str] = {None: "one", "models/mini_null": "two"}
    # Each base has its model_index.json, whether or not the null base was made.
    monkeypatch.setattr(scans, "base_source", lambda name, folder: str(ROOT / "models/mini"))
    monkeypatch.setattr(scans, "made_by", lambda of_base: weights[of_base.base.local_folder])
    table = tmp_path / "scans.csv"
    seeds: list[set[int]] = []
    for runs in ("1", "3", "3"):
        asked.clear()
        monkeypatch.setattr("sys.argv", ["scans", "--runs", runs, "--table", str(table)])
        scans.main()
        seeds.append(set(asked))
    assert not seeds[0] & seeds[1] and not seeds[2]
    # A base is loaded only for a run that is missing.
    assert folders == [None, "models/mini_null"] * 2
    # Apart from every seed of the pipeline, those of confirmations (from 1,000,000,000 on) included.
    assert all(seed not in used for used in params.seed_ranges().values() for seed in seeds[0] | seeds[1])
    assert min(seeds[0]) == scans.FIRST_SEED and max(seeds[1]) < 1_000_000_000
    rows = pd.read_csv(table)
    assert sorted(zip(rows["base"], rows["run"], strict=True)) == [
        (base, run) for base in ("mini", "mini-null") for run in range(3)
    ]
    assert dict(rows.groupby("base")["discoveries"].unique().map(list)) == {"mini": [3], "mini-null": [0]}
    assert (rows[["false_discoveries", "missed"]] == 0).all(axis=None)
    assert (rows["images"] / rows["images_fixed_design"] < 0.4).all()
    said = capsys.readouterr().out
    assert "mini: 3 of 3 runs find the planted defects and nothing else" in said
    assert "mini-null: 3 of 3 runs find nothing" in said
    # A null base that was made anew is scanned anew, and the other one is not.
    asked.clear()
    weights["models/mini_null"] = "three"
    scans.main()
    again = pd.read_csv(table)
    assert set(asked) < seeds[0] | seeds[1] and folders[4:] == ["models/mini_null"]
    assert again.drop(columns="made_by").equals(rows.drop(columns="made_by"))
    assert list(again["made_by"]) == ["one"] * 3 + ["three"] * 3


def test_false_and_missed_discoveries_are_told_apart() -> None:
    rows = [
        {
            "base": base,
            "run": run,
            "false_discoveries": false,
            "missed": missed,
            "images": 240,
            "images_fixed_design": 960,
        }
        for base, run, false, missed in (
            ("mini", 0, 0, 1),
            ("mini", 1, 0, 0),
            ("mini-null", 0, 1, 0),
            ("mini-null", 1, 0, 0),
        )
    ]
    assert [sentence.split(" runs")[0] for sentence in scans.summary(pd.DataFrame(rows))] == [
        "mini: 1 of 2",
        "mini-null: 1 of 2",
    ]


def test_the_null_base_is_scanned_as_its_profile_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scans, "base_source", lambda name, folder: str(ROOT / "models/mini"))
    for base in scans.BASES:
        profile = params_of(user_params() | {"profile": base})
        studied = scans.params_of(params_of(user_params()), base)
        assert studied.model_copy(update={"profile": base}) == profile


def test_a_missing_base_is_refused_before_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        scans, "base_source", lambda name, folder: str(ROOT / "models/mini" if not folder else tmp_path)
    )
    assert scans.params_of(params_of(user_params()), "mini").base.local_folder is None
    with pytest.raises(ValueError, match="models/mini_null has no base: `make null-base`"):
        scans.params_of(params_of(user_params()), "mini-null")


def test_runs_of_other_weights_sampling_or_rules_are_told_apart() -> None:
    params = params_of(user_params())
    steps = params.model_copy(update={"sample": params.sample.model_copy(update={"steps": 3})})
    rules = params.model_copy(update={"scan": params.scan.model_copy(update={"limit": 0.3})})
    assert len({scans.made_by(each) for each in (params, steps, rules)}) == 3
    assert scans.made_by(params) == scans.made_by(params_of(user_params()))


def test_the_study_refuses_parameters_of_another_base() -> None:
    params = params_of(user_params())
    other = params.model_copy(update={"base": params.base.model_copy(update={"name": "sd3-medium"})})
    with pytest.raises(ValueError, match="profile: mini"):
        scans.params_of(other, "mini-null")
