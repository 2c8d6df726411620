"""Result files of participants: one that cannot be read keeps no other out, and no name in a file becomes a path."""

from __future__ import annotations

import codecs
import json
from pathlib import Path
from typing import Any

import pytest

from anomend.project.paths import SURVEY_KEY
from anomend.surveying.key import write_key
from commands import survey_import
from tests.parameters import values_in_force, write_params
from tests.surveying.conftest import Survey, answers_of
from tests.surveying.conftest import survey as survey


def test_a_file_that_is_missing_a_folder_or_a_path_is_named_and_the_others_are_stored(
    survey: Survey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_key(SURVEY_KEY, survey.key)
    params = values_in_force()
    params["survey"]["responses"] = "responses"
    write_params(tmp_path, params)
    (tmp_path / "responses").mkdir()
    code = sorted(survey.key.participants)[0]
    good: dict[str, Any] = answers_of(survey, code, "left")
    (tmp_path / "good.json").write_bytes(codecs.BOM_UTF8 + json.dumps(good).encode())
    (tmp_path / "path.json").write_text(json.dumps(good | {"participant": f"../../{code}"}))
    files = [str(tmp_path / name) for name in ("missing.json", "responses", "path.json", "good.json")]
    with pytest.raises(ValueError, match="is not stored") as told:
        survey_import.main(files)
    lines = str(told.value).splitlines()
    assert len(lines) == 3 and all(file in line for file, line in zip(files, lines, strict=False))
    assert [path.name for path in (tmp_path / "responses").iterdir()] == [f"{code}.csv"]
