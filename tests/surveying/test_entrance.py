"""One link for all: who is let in, with which plan, and that nobody's id is written anywhere."""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import b32encode
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from anomend.surveying.submissions import SubmissionError
from anomend.surveying.survey_desk import SurveyDesk
from tests.surveying.conftest import SECRET, Site, Survey, answers_of, build

Serve = Callable[[Site], str]
IDS = {"PROLIFIC_PID": "5f2d9a7c1e", "STUDY_ID": "study-77", "SESSION_ID": "session-88"}


def answer_all(survey: Survey, desk: SurveyDesk, code: str, count: int | None = None) -> None:
    whole = answers_of(survey, desk.plan_of(code))
    desk.take(json.dumps(whole | {"participant": code, "answers": whole["answers"][:count]}).encode())


def entered(desk: SurveyDesk, identity: str) -> Any:
    assert desk.entrance
    return desk.entrance.enter({"PROLIFIC_PID": identity})


def test_a_code_is_the_keyed_hash_of_survey_and_id(survey: Survey) -> None:
    digest = hmac.new(SECRET, f"{survey.key.survey} {IDS['PROLIFIC_PID']}".encode(), hashlib.sha256).digest()
    assert entered(survey.desk, IDS["PROLIFIC_PID"]).code == b32encode(digest).decode().lower()[:13]
    # The same person again, also at another server, has the same code; there is one entry.
    assert entered(survey.desk, IDS["PROLIFIC_PID"]).code == b32encode(digest).decode().lower()[:13]
    assert len(survey.entries.read_text().splitlines()) == 1


def test_no_file_has_an_id(survey: Survey, serve: Serve, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    address = serve(survey)
    httpx.get(address, params=IDS)
    assert httpx.get(f"{address}/entry").json()["names"][:2] == ["PROLIFIC_PID", "workerId"]
    reply = httpx.post(f"{address}/entry", json={"ids": IDS}).json()
    httpx.post(f"{address}/entry", json={"ids": IDS | {"PROLIFIC_PID": "<id>"}})
    code = reply["code"]
    plan = httpx.get(f"{address}/plans/{code}.js").text
    assert f'"participant": "{code}"' in plan
    whole = answers_of(survey, survey.desk.plan_of(code)) | {"participant": code}
    assert httpx.post(f"{address}/results", json=whole).json()["end"] == {"code": "DONE1", "url": None}
    survey.imported()
    assert survey.rows(code)[0]["participant"] == code
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert survey.entries in written and survey.results / f"{code}.csv" in written
    logged = "".join(capfd.readouterr())
    for identity in IDS.values():
        assert identity not in logged and not any(identity.encode() in path.read_bytes() for path in written)
        assert not any(hashlib.sha256(identity.encode()).hexdigest()[:16].encode() in p.read_bytes() for p in written)


@pytest.mark.parametrize(
    "ids",
    [
        {},
        {"PROLIFIC_PID": ""},
        {"STUDY_ID": "x"},
        {"PROLIFIC_PID": "{{%PROLIFIC_PID%}}"},
        {"workerId": "A1", "assignmentId": "ASSIGNMENT_ID_NOT_AVAILABLE"},
        {"PROLIFIC_PID": "a" * 129},
    ],
    ids=["nothing", "empty", "no participant", "unfilled", "a preview of MTurk", "too long"],
)
def test_without_a_valid_id_nobody_is_let_in(survey: Survey, ids: dict[str, str]) -> None:
    assert survey.desk.entrance
    with pytest.raises(SubmissionError, match="no valid id"):
        survey.desk.entrance.enter(ids)
    assert not survey.entries.exists()


def test_a_full_survey_lets_in_those_who_have_begun_and_frees_the_place_of_who_stopped(tmp_path: Path) -> None:
    survey = build(tmp_path, 4, quota=2, idle_minutes=30)
    time = datetime(2026, 1, 1, tzinfo=UTC)
    desk = SurveyDesk(
        survey.key,
        survey.journals,
        recruiting=survey.recruiting,
        entries=survey.entries,
        secret=SECRET,
        now=lambda: time,
    )
    first, second = entered(desk, "a"), entered(desk, "b")
    assert (first.state, second.state, entered(desk, "c").state) == ("open", "open", "full")
    assert entered(desk, "a") == first
    answer_all(survey, desk, first.code)
    # The second one gave no answer for half an hour: the place goes to the next one, with the same plan.
    time += timedelta(minutes=31)
    third = entered(desk, "c")
    assert third.state == "open" and desk.plan_of(third.code) == desk.plan_of(second.code)
    assert entered(desk, "d").state == "full"
    assert entered(desk, "b").state == "open"  # Who has begun may still finish.


def test_plans_are_given_out_evenly(tmp_path: Path) -> None:
    survey = build(tmp_path, 4, quota=8)
    desk = survey.desk
    answer_all(survey, desk, next(iter(survey.key.participants)), 1)  # By a link of its own.
    codes = [entered(desk, f"person-{number}").code for number in range(7)]
    uses = Counter(map(desk.plan_of, codes))
    assert sorted(uses.values()) == [1, 2, 2, 2] and uses[next(iter(survey.key.participants))] == 1
    assert all(desk.asked(code) == 10 for code in codes) and desk.asked("a" * 13) is None


def test_another_question_gives_the_same_person_another_code(tmp_path: Path) -> None:
    codes = set()
    for number, repeats in enumerate((1, 2)):
        (tmp_path / str(number)).mkdir()
        codes.add(entered(build(tmp_path / str(number), 2, repeats=repeats).desk, "person").code)
    assert len(codes) == 2
