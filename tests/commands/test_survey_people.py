"""What a researcher does with people: lists them, writes links, finds a platform's participant, deletes, plans."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from anomend.project.paths import SURVEY_KEY
from anomend.surveying.key import write_key
from anomend.surveying.opening import SURVEY_ANSWERS
from commands import survey_import, survey_people
from tests.parameters import values_in_force, write_params
from tests.surveying.conftest import Survey, answers_of
from tests.surveying.conftest import survey as survey


@pytest.fixture
def project(survey: Survey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Survey:
    """A project with a survey of four participants, the first of whom gave three answers."""
    monkeypatch.chdir(tmp_path)
    write_key(SURVEY_KEY, survey.key)
    params = values_in_force()
    params["survey"]["responses"] = "results"
    write_params(tmp_path, params)
    code = next(iter(survey.key.participants))
    whole = answers_of(survey, code)
    (tmp_path / "answers.json").write_text(json.dumps(whole | {"answers": whole["answers"][:3]}))
    survey_import.main(["answers.json"])
    return survey


def test_people_are_listed_and_deleted_by_code(project: Survey, capsys: pytest.CaptureFixture[str]) -> None:
    first, second, *_ = project.key.participants
    survey_people.main(["list"])
    lines = capsys.readouterr().out.splitlines()[-4:]
    assert lines[0].split() == [first, "3", "of", "10", "under", "way"] and "not begun" in lines[1]
    assert (project.results / f"{first}.csv").exists()
    survey_people.main(["delete", f"{first[:4]}-{first[4:8]}"])
    assert not list(project.results.iterdir()) and not (SURVEY_ANSWERS / f"{first}.jsonl").exists()
    survey_import.main([])
    assert not list(project.results.iterdir())
    with pytest.raises(ValueError, match="is not stored: the answers of this code were withdrawn"):
        survey_import.main(["answers.json"])
    survey_people.main(["delete", second])
    assert "has no answers here" in capsys.readouterr().out
    with pytest.raises(ValueError, match="is not the code of one person"):
        survey_people.main(["delete", "aaaaaaaaaaaaa"])


def test_links_are_csv(project: Survey, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    survey_people.main(["links", "--url", "https://survey.example.org"])
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["link"] for row in rows] == [f"https://survey.example.org/#{code}" for code in project.key.participants]
    assert (rows[0]["answered"], rows[0]["asked"]) == ("3", "10")


def test_a_platforms_participant_is_found_by_an_id_that_is_kept_nowhere(
    project: Survey, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def code() -> str:
        capsys.readouterr()
        monkeypatch.setattr("sys.stdin", io.StringIO("5f2d9a7c1e\n"))
        survey_people.main(["code"])
        return capsys.readouterr().out.strip()

    first = code()
    assert first == code() and len(first) == 13  # The key was made once.
    assert oct(Path(".rater_key").stat().st_mode)[-3:] == "600"
    monkeypatch.setenv("ANOMEND_RATER_KEY", "another key of thirty-two characters")
    assert code() != first
    assert not any(b"5f2d9a7c1e" in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    monkeypatch.setenv("ANOMEND_RATER_KEY", "short")
    with pytest.raises(ValueError, match="ANOMEND_RATER_KEY has 5 characters: take 32 random ones or more"):
        code()


def test_the_plan_needs_no_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_params(tmp_path, values_in_force())
    survey_people.main(["plan"])
    assert "participants" in capsys.readouterr().out
