"""Stage `label`, its server and its import as they are run: what they write, and what they refuse."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from anomend.labelling.design import read_design
from anomend.labelling.records import read_labels
from anomend.labelling.texts import FOLDER
from anomend.pictures.image_sets import ImageFolderWriter
from anomend.project.metric_files import read_metrics
from anomend.surveying.key import LabelKey, read_key
from commands import label_tools, survey_import
from stages import label
from tests.conftest import ROOT
from tests.parameters import params_of, user_params, write_params


def draw_samples(folder: Path) -> None:
    """Six target pairs of two prompts and four held-out ones of another, of 32 px."""
    for model, shade in (("base", 0), ("tuned", 100)):
        images = ImageFolderWriter(folder / "data" / "samples" / model)
        rows = [("target", "on the grass", 3), ("target", "on the street", 3), ("held_out", "on the beach", 4)]
        for number, (group, prompt, count) in enumerate(rows):
            for seed in range(count):
                image = np.full((32, 32, 3), shade + 20 * number + seed, np.uint8)
                images.add(f"{number}_{seed}.png", image, text=prompt, prompt=prompt, seed=seed, group=group)
        images.close()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    draw_samples(tmp_path)
    (tmp_path / "data" / "labels").mkdir()
    set_label(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def set_label(folder: Path, **changes: Any) -> None:
    user = user_params()
    chosen = {"pairs_per_prompt": 2, "held_out_pairs_per_prompt": 1, "raters": 2, "raters_per_picture": 1, "repeats": 1}
    user["label"] |= chosen | changes
    write_params(folder, params_of(user))


def answers_of(key: LabelKey, code: str, count: int) -> dict[str, Any]:
    answers = [
        {"trial": trial, "answer": "unsure", "marks": [], "milliseconds": 900, "language": "en"}
        for trial in range(count)
    ]
    return {"design": key.design, "rater": code, "answers": answers}


def test_without_labels_there_are_a_design_a_page_and_a_reason(project: Path) -> None:
    label.main()
    design = read_design(project / "data" / "label_design.csv")
    assert design.groupby(["group", "prompt", "model"]).size().to_dict() == {
        (group, prompt, model): count
        for group, prompt, count in (
            ("held_out", "on the beach", 1),
            ("target", "on the grass", 2),
            ("target", "on the street", 2),
        )
        for model in ("base", "tuned")
    }
    assert design.groupby("pair")["seed"].nunique().eq(1).all() and design["showings"].eq(1).all()
    key = read_key(project / "data" / "label_key.json", LabelKey)
    assert sorted(len(showings) for showings in key.raters.values()) == [5, 7]
    assert {path.stem for path in (project / "labelling" / "plans").iterdir()} == set(key.raters)
    metrics = read_metrics(project / "metrics" / "label.json")
    assert (metrics["n"], metrics["pictures"], metrics["labels"]) == (0, 10, 0) and "no labels yet" in metrics["reason"]
    assert metrics["provenance"]["texts"] == key.texts and metrics["provenance"]["design"] == key.design


def test_more_pairs_keep_those_that_were_drawn(project: Path) -> None:
    label.main()
    before = set(read_design(project / "data" / "label_design.csv")["picture"])
    set_label(project, pairs_per_prompt=3)
    label.main()
    assert before < set(read_design(project / "data" / "label_design.csv")["picture"])


def test_a_file_is_imported_counted_and_refused_after_the_question_has_changed(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    label.main()
    key = read_key(project / "data" / "label_key.json", LabelKey)
    code = next(iter(key.raters))
    count = len(key.raters[code])
    (project / "answers.json").write_text(json.dumps(answers_of(key, code, count)))
    survey_import.main(["answers.json"])
    assert f"stored as data/labels/{code}.csv" in capsys.readouterr().out
    assert len(read_labels(project / "data" / "labels")) == count
    label.main()
    metrics = read_metrics(project / "metrics" / "label.json")
    assert metrics["n"] == 1 and metrics["labels"] == metrics["unsure"] == count - 1 and metrics["repeats"] == 1
    assert metrics["repeat_consistency"] == 1 and metrics["median_ms"] == 900

    texts = project / "texts"
    shutil.copytree(FOLDER, texts)
    content = (texts / "en.json").read_text().replace("anything wrong with the body", "the body right")
    (texts / "en.json").write_text(content)
    monkeypatch.setattr("stages.label.versions", lambda: label_versions(texts))
    with pytest.raises(
        ValueError, match=rf"line 2 of .*{code}\.csv is an answer to other texts .*: set the texts back"
    ):
        label.main()


def label_versions(folder: Path) -> list[str]:
    from anomend.labelling.texts import versions

    return versions(folder)


def test_gold_of_the_users_own(project: Path) -> None:
    gold = project / "gold"
    gold.mkdir()
    shutil.copy(project / "data" / "samples" / "base" / "0_0.png", gold / "taken.png")
    image = np.full((32, 32, 3), 250, np.uint8)
    writer = ImageFolderWriter(gold)
    writer.add("own.png", image)
    (gold / "gold.csv").write_text("file,answer\nown.png,wrong\n")
    set_label(project, gold="gold")
    label.main()
    key = read_key(project / "data" / "label_key.json", LabelKey)
    assert [sum(one.gold == "wrong" for one in showings) for showings in key.raters.values()] == [1, 1]


def test_pictures_go_to_another_tool_and_its_labels_come_back(project: Path) -> None:
    label.main()
    key = read_key(project / "data" / "label_key.json", LabelKey)
    label_tools.main(["export", "label-studio", "tasks.json", "--language", "ko"])
    tasks = json.loads((project / "tasks.json").read_text())
    assert len(tasks) == 10 and "몸에" in (project / "tasks.xml").read_text()
    choice = {"type": "choices", "from_name": "answer", "to_name": "image", "value": {"choices": ["unsure"]}}
    for number, task in enumerate(tasks):
        task |= {"id": number, "annotations": [{"id": number, "result": [choice], "completed_by": 7, "lead_time": 2.5}]}
    (project / "export.json").write_text(json.dumps(tasks[:6]))
    label_tools.main(["import", "label-studio", "export.json"])
    (project / "export.json").write_text(json.dumps(tasks))
    label_tools.main(["import", "label-studio", "export.json"])
    stored = read_labels(project / "data" / "labels")
    assert set(stored["picture"]) == set(read_design(project / "data" / "label_design.csv")["picture"])
    assert stored["rater"].nunique() == 1 and set(stored["texts"]) == {key.texts["ko"]}
    label.main()
    metrics = read_metrics(project / "metrics" / "label.json")
    assert (metrics["labels"], metrics["complete"], metrics["median_ms"]) == (10, 10, 2500)
    # Fewer labels than are stored would lose some.
    (project / "export.json").write_text(json.dumps(tasks[:6]))
    with pytest.raises(ValueError, match="give the import another --name"):
        label_tools.main(["import", "label-studio", "export.json"])
    (project / "export.json").write_text("[")
    with pytest.raises(ValueError, match=r"export\.json is not imported"):
        label_tools.main(["import", "rapidata", "export.json"])
    label_tools.main(["export", "rapidata", "job.json"])
    assert all(Path(path).is_file() for path in json.loads((project / "job.json").read_text())["datapoints"])


@pytest.mark.slow
def test_the_server_prints_links_keeps_answers_and_imports_them_when_it_stops(project: Path) -> None:
    label.main()
    key = read_key(project / "data" / "label_key.json", LabelKey)
    command = [sys.executable, "-m", "commands.survey_server", "--labels", "--port", "0"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    code = next(iter(key.raters))
    for round_, (first, last) in enumerate(((0, 2), (2, 3))):
        process = subprocess.Popen(command, cwd=project, env=environment, stdout=subprocess.PIPE, text=True)
        assert process.stdout
        lines = [process.stdout.readline() for _ in range(5)]
        links = [re.fullmatch(r"  (http://127\.0\.0\.1:\d+)/#(\w{13})(.*)\n", line) for line in lines[1:3]]
        assert [link and link[2] for link in links] == list(key.raters)
        assert links[0] and ("has answered 2 of" in links[0][3]) == (round_ == 1)
        for answer in answers_of(key, code, last)["answers"][first:]:
            body = {"design": key.design, "rater": code, "answers": [answer]}
            assert httpx.post(f"{links[0][1]}/results", json=body).status_code == 201
        if round_ == 0:
            process.kill()  # What was accepted is kept.
            process.communicate(timeout=30)
            survey_import.main([])
            assert len(read_labels(project / "data" / "labels")) == 2
        else:
            process.send_signal(signal.SIGINT)
            output, _ = process.communicate(timeout=30)
            assert "labels are in data/labels/: commit them" in output
    assert len(read_labels(project / "data" / "labels")) == 3


def test_a_missing_folder_or_key_is_named(project: Path) -> None:
    with pytest.raises(ValueError, match=r"label_key\.json is missing: run `dvc repro label`"):
        from commands import survey_server

        survey_server.main(["--labels", "--port", "0"])
    (project / "data" / "labels").rmdir()
    with pytest.raises(ValueError, match=r"is not a folder: make it, or fix label\.labels"):
        label.main()
