"""Stage `people` on files: labels in git, the design, what the detector found; and the verdict that follows."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from anomend.labelling.records import write_labels
from anomend.labelling.texts import versions
from anomend.params.profiles import resolve
from anomend.verdict.decision import reach_verdict
from stages import people
from tests.conftest import ROOT
from tests.people.made import labels_of, pictures
from tests.verdict.made import THRESHOLDS, compare, measured

SEEDS = 40
LABELLED = 30


def project(
    folder: Path, *, tuned: float, evidence: str = "people", detector: str = "objects:x@y", errors: dict[str, float]
) -> None:
    """The files that the stage reads: two target and two held-out prompts, of which people see the first seeds."""
    rng = np.random.default_rng(0)
    design = {("target", name): SEEDS for name in ("grass", "street")}
    design |= {("held_out", name): SEEDS for name in ("sofa", "chair")}
    samples = pictures(design)
    rates = samples["model"].map({"base": 0.8, "tuned": tuned}).where(samples["group"] == "target", 0.05)
    wrong = pd.Series(rng.random(len(samples)) < rates)
    samples["picture"] = [hashlib.sha256(name.encode()).hexdigest() for name in samples["picture"]]
    seen = samples["seed"] < LABELLED
    labels = labels_of(samples[seen], wrong[seen], errors, rng=rng).assign(texts=versions()[0])
    (folder / "data" / "labels").mkdir(parents=True)
    for rater, rows in labels.groupby("rater"):
        write_labels(folder / "data" / "labels" / f"{rater}.csv", rows)
    samples[seen].assign(path="x.png", pair="x", showings=2).to_csv(folder / "data" / "label_design.csv", index=False)
    (folder / "metrics" / "plots").mkdir(parents=True)
    anomalous = wrong.astype(int)
    for model in ("base", "tuned"):
        rows = samples["model"] == model
        table = samples[rows][["group", "prompt", "seed"]].assign(anomalous=anomalous[rows], anomalies="")
        table.to_csv(folder / "metrics" / "plots" / f"images_{model}.csv", index=False)
    settings = {"verdict": {"evidence": evidence}, "measure": {"detector": "drawn_people"}}
    params = resolve({"profile": "mini", **settings}, ROOT / "profiles")
    params = params.model_copy(update={"measure": params.measure.model_copy(update={"detector": detector})})
    people.load_params = lambda: params  # type: ignore[assignment]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(people, "load_params", None)
    return tmp_path


def written(folder: Path, name: str) -> dict:
    return json.loads((folder / "metrics" / f"{name}.json").read_text())


def test_labels_in_git_become_a_verdict_and_a_passport(folder: Path) -> None:
    project(folder, tuned=0.6, errors={"r1": 0.05, "r2": 0.1, "r3": 0.15})
    people.main()
    metrics, passport = written(folder, "people"), written(folder, "passport")
    assert (metrics["n"], metrics["pictures"], metrics["not_seen"]) == (3, 240, 0)
    assert metrics["anomaly_rate_target"]["tuned_ci_low"] <= 0.6 <= metrics["anomaly_rate_target"]["tuned_ci_high"]
    assert passport["detector"] == "objects:x@y"
    assert passport["tuned"]["sensitivity"]["value"] > 0.9
    verdict = reach_verdict(compare(), measured(), THRESHOLDS, evidence="people", people=metrics)
    assert verdict.outcome == "not_corrected"


def test_a_rater_who_is_too_fast_is_left_out(folder: Path) -> None:
    project(folder, tuned=0.1, errors={"r1": 0.05, "r2": 0.1, "fast": 0.5})
    path = folder / "data" / "labels" / "fast.csv"
    path.write_text(path.read_text().replace(",4000,", ",90,"))
    people.main()
    assert [row["rater"] for row in written(folder, "people")["raters"]] == ["r1", "r2"]


def test_with_the_detector_all_samples_count(folder: Path) -> None:
    project(folder, tuned=0.1, evidence="people+machine", errors={"r1": 0.05, "r2": 0.1})
    people.main()
    target = written(folder, "people")["anomaly_rate_target"]
    assert target["labels_saved"] > 0 and 0 < target["machine_weight"] <= 1


def test_without_labels_both_files_say_why(folder: Path) -> None:
    project(folder, tuned=0.1, errors={"r1": 0.05})
    (folder / "data" / "labels" / "r1.csv").unlink()
    people.main()
    assert "nobody has labelled" in written(folder, "people")["anomaly_rate_target"]["reason"]
    assert "nobody has labelled" in written(folder, "passport")["reason"]
    assert written(folder, "passport")["base"] is None


def test_an_older_design_is_refused(folder: Path) -> None:
    project(folder, tuned=0.1, errors={"r1": 0.05})
    design = folder / "data" / "label_design.csv"
    design.write_text(design.read_text().replace("street", "road"))
    with pytest.raises(ValueError, match="'road' with seed 0, which is not among the samples"):
        people.main()
