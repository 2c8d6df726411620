"""Answers are to the question that was asked: what is counted after a change of question, consent or language."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from PIL import Image

from anomend.params.survey import SurveyParams
from anomend.surveying.responses import COLUMNS, read_responses
from anomend.surveying.survey import SurveyResult, build_survey, count_votes, stopped_early
from anomend.surveying.survey_answers import response_table
from anomend.surveying.survey_desk import SurveyDesk
from anomend.surveying.texts import OwnTexts, current_versions, survey_texts, texts_of
from tests.parameters import params_of, user_params
from tests.surveying.conftest import picture

LESS = "Which picture do you like less?"
FEW = {"participants": 2, "pairs_per_prompt": 2, "repeats": 0, "catch_pairs": 1, "languages": ["en"]}


def survey_params(**changes: Any) -> SurveyParams:
    user = user_params()
    user["survey"] |= FEW | changes
    return params_of(user).survey


@pytest.fixture
def samples(tmp_path: Path) -> dict[str, pd.DataFrame]:
    """Two seeds of one prompt by both models, and one held-out image."""
    tables = {}
    for model, seeds in (("base", (0, 1)), ("tuned", (0, 1)), ("held_out", (7,))):
        rows = []
        for seed in seeds:
            path = tmp_path / f"{model}-{seed}.png"
            Image.fromarray(picture("", seed, model).pixels).save(path)
            rows.append({"prompt": "lying on the grass", "seed": seed, "path": path})
        tables[model] = pd.DataFrame(rows)
    return tables


def answer(samples: dict[str, pd.DataFrame], folder: Path, params: SurveyParams, count: int | None = None) -> Path:
    """The file of the first participant, who always takes the left picture, in the page's last language."""
    pairs = samples["base"].merge(samples["tuned"], on=["prompt", "seed"], suffixes=("_base", "_tuned"))
    key = build_survey(pairs, samples["held_out"], params, site=folder / "site")
    desk = SurveyDesk(key, folder / "journals")
    code = next(iter(key.participants))
    answers = [
        {"trial": trial, "choice": "left", "reaction_ms": 2000, "language": params.languages[-1]} for trial in range(3)
    ]
    desk.take(json.dumps({"survey": key.survey, "participant": code, "answers": answers[:count]}).encode())
    (folder / "data").mkdir(exist_ok=True)
    return desk.import_code(code, folder / "data")


def count(samples: dict[str, pd.DataFrame], files: list[Path], params: SurveyParams) -> SurveyResult:
    return count_votes(files, base=samples["base"], tuned=samples["tuned"], params=params)


def test_answers_to_another_question_are_set_aside_and_said_so(
    samples: dict[str, pd.DataFrame], tmp_path: Path
) -> None:
    params = survey_params(max_failed_catches=1)
    file = answer(samples, tmp_path, params)
    assert (counted := count(samples, [file], params)).metrics["votes"] == 2 and not counted.notes
    changed = count(samples, [file], survey_params(max_failed_catches=1, question=LESS))
    assert (changed.metrics["n"], changed.metrics["votes"], changed.metrics["on_other_texts"]) == (0, 0, 3)
    assert changed.metrics["reason"] == "all 3 answers are to another question than today's"
    assert "3 answers by 1 participants are to another question" in changed.notes[0] and len(changed.pairs) == 0
    # Set back, they count again; another consent asks nothing else.
    assert count(samples, [file], survey_params(max_failed_catches=1, consent="I agree.")).metrics["votes"] == 2


def test_answers_to_both_questions_are_told_apart(samples: dict[str, pd.DataFrame], tmp_path: Path) -> None:
    files = []
    for name, changes in (("one", {}), ("two", {"question": LESS})):
        (tmp_path / name).mkdir()
        files.append(answer(samples, tmp_path / name, survey_params(max_failed_catches=1, **changes)))
    metrics = count(samples, files, survey_params(max_failed_catches=1, question=LESS)).metrics
    assert (metrics["n"], metrics["votes"], metrics["on_other_texts"]) == (1, 2, 3)


def test_a_file_without_versions_is_set_aside(samples: dict[str, pd.DataFrame], tmp_path: Path) -> None:
    params = survey_params()
    file = answer(samples, tmp_path, params)
    pd.read_csv(file)[list(COLUMNS)].to_csv(file, index=False)  # As an earlier version wrote it.
    result = count(samples, [file], params)
    assert result.metrics["n"] == 0 and result.metrics["on_other_texts"] == 3 and result.notes


def test_answers_in_all_languages_count_together(samples: dict[str, pd.DataFrame], tmp_path: Path) -> None:
    params = survey_params(languages=["en", "ko"], max_failed_catches=1)
    file = answer(samples, tmp_path, params)
    assert set(read_responses([file])["texts"].str[:3]) == {"ko-"}
    assert count(samples, [file], params).metrics["votes"] == 2
    # Korean is no longer offered; what was answered in it is an answer to the same question.
    assert count(samples, [file], survey_params(max_failed_catches=1)).metrics["votes"] == 2


@pytest.mark.parametrize("counts", [False, True])
def test_who_stopped_early_counts_only_if_the_parameter_says_so(
    samples: dict[str, pd.DataFrame], tmp_path: Path, counts: bool
) -> None:
    params = survey_params(max_failed_catches=1, count_incomplete=counts)
    file = answer(samples, tmp_path, params, count=2)
    assert len(stopped_early(read_responses([file]))) == 1
    metrics = count(samples, [file], params).metrics
    assert metrics["incomplete"] == 1 and (metrics["n"] == 1) == counts
    if not counts:
        assert metrics["reason"] == "all 1 participants stopped early, and survey.count_incomplete is false"


def test_the_files_columns_are_the_surveys_identity(samples: dict[str, pd.DataFrame], tmp_path: Path) -> None:
    params = survey_params()
    table = pd.read_csv(answer(samples, tmp_path, params), dtype=str)
    text = texts_of(params)[0]
    assert set(table["texts"]) == {text.version} and set(table["consent"]) == {text.consent_version}
    assert (
        table["survey"].str.fullmatch("[0-9a-f]{16}").all() and table["date"].str.fullmatch(r"20\d\d-\d\d-\d\d").all()
    )
    assert list(table["trial"]) == ["0", "1", "2"] and set(table["trials"]) == {"3"}
    with pytest.raises(ValueError, match=r"broken\.csv: row 1 has choice"):
        response_table(Path("broken.csv"), table.assign(choice="middle").to_dict("records"))


def test_the_default_texts_are_in_every_language() -> None:
    texts = texts_of(survey_params(languages=["en", "de", "ko"]))
    assert [text.version[:3] for text in texts] == ["en-", "de-", "ko-"]
    assert {text.content["asked"]["question"] for text in texts} == {
        "Which picture looks more natural?",
        "Welches Bild wirkt natürlicher?",
        "어느 그림이 더 자연스러워 보입니까?",
    }
    keys = [set(text.content["page"]) for text in texts]
    assert keys[0] == keys[1] == keys[2]
    assert [len(text.content["page"]["consent"]) for text in texts] == [3, 3, 3]


def test_a_question_of_ones_own_needs_its_translation() -> None:
    own = OwnTexts(title="Hands", question=LESS, consent="Fine.")
    with pytest.raises(ValueError, match=r"survey\.title .* survey\.translations\.de, or take de out of"):
        survey_texts(own, languages=["en", "de"], translations={})
    german = OwnTexts(title="Hände", question="Welches Bild gefällt Ihnen weniger?", consent="Gut.")
    english, translated = survey_texts(own, languages=["en", "de"], translations={"de": german})
    assert translated.content["asked"]["question"] == german.question and english.version != translated.version
    with pytest.raises(ValueError, match="translations has the first language, en"):
        survey_params(translations={"en": {"title": "a", "question": "b", "consent": "c"}})


def test_the_built_in_texts_are_shown_in_the_first_language_whichever_it_is() -> None:
    params = survey_params(languages=["de", "en"])
    german, english = texts_of(params)
    assert german.content["asked"]["question"] == "Welches Bild wirkt natürlicher?"
    assert english.content["asked"]["question"] == params.question
    assert current_versions(params) == current_versions(survey_params(languages=["ko"]))
