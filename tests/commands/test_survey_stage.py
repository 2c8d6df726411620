"""Stage `survey` and its import as they are run: the page, the count, and a question that changes in between."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from anomend.project.metric_files import read_metrics
from anomend.surveying.key import SurveyKey, read_key
from commands import survey_import
from stages import survey
from tests.commands.test_label_commands import draw_samples
from tests.parameters import params_of, user_params, write_params


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    draw_samples(tmp_path)
    (tmp_path / "data" / "survey").mkdir()
    set_survey(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def set_survey(folder: Path, **changes: Any) -> None:
    user = user_params()
    chosen = {"pairs_per_prompt": 3, "participants": 2, "repeats": 1, "catch_pairs": 2, "max_failed_catches": 2}
    user["survey"] |= chosen | changes
    write_params(folder, params_of(user))


def key_of(project: Path) -> SurveyKey:
    return read_key(project / "data" / "survey_key.json")


def answer(project: Path, code: str, *, count: int | None = None, survey_id: str | None = None) -> None:
    """Save, as the page does, that a participant prefers the tuned picture of every pair, and import the file."""
    key = key_of(project)
    answers = [
        {
            "trial": trial,
            "choice": "left" if one.left_model == "tuned" else "right",
            "reaction_ms": 1500,
            "language": "de",
        }
        for trial, one in enumerate(key.participants[code])
    ]
    sent = {"survey": survey_id or key.survey, "participant": code, "answers": answers[:count]}
    (project / "answers.json").write_text(json.dumps(sent))
    survey_import.main(["answers.json"])


def test_a_question_that_changes_leaves_earlier_answers_aside(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    survey.main()
    before = key_of(project)
    assert (project / "survey" / "index.html").exists() and read_metrics(Path("metrics/survey.json"))["n"] == 0
    first, second = before.participants
    answer(project, first)
    answer(project, second, count=4)
    survey.main()
    metrics = read_metrics(Path("metrics/survey.json"))
    assert (metrics["n"], metrics["votes"], metrics["win_rate_tuned"]) == (1, 6, 1.0)
    assert (metrics["incomplete"], metrics["on_other_texts"]) == (1, 0)
    # The rest comes later, as a file that has all of it.
    answer(project, second)
    survey.main()
    assert read_metrics(Path("metrics/survey.json"))["n"] == 2

    set_survey(project, question="Which do you like LESS?", languages=["en"])
    capsys.readouterr()
    survey.main()
    assert "18 answers by 2 participants are to another question than today's" in capsys.readouterr().out
    metrics = read_metrics(Path("metrics/survey.json"))
    assert (metrics["n"], metrics["on_other_texts"]) == (0, 18) and "another question" in metrics["reason"]
    assert len(pd.read_csv("metrics/plots/survey_pairs.csv")) == 0
    after = key_of(project)
    assert after.survey != before.survey and not set(after.participants) & set(before.participants)
    with pytest.raises(ValueError, match="belong to another survey"):
        answer(project, next(iter(after.participants)), survey_id=before.survey)


def test_a_language_without_a_translation_is_named_before_anything_is_written(project: Path) -> None:
    set_survey(project, question="Which do you like LESS?")
    with pytest.raises(ValueError, match=r"survey\.question is not the built-in text, and has no translation in 'de'"):
        survey.main()
    assert not (project / "survey").exists()
