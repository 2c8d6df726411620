"""The server over real HTTP: many at once, hostile requests, and a process that is killed."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from anomend.project.seeding import python_random
from anomend.surveying.journals import journal_rows
from anomend.surveying.key import write_key
from anomend.surveying.opening import in_git
from anomend.surveying.responses import FILE_COLUMNS, read_responses
from anomend.surveying.server import make_app
from anomend.surveying.submissions import SIZE_LIMIT, AlreadyStored
from anomend.surveying.survey_answers import SurveySubmission, responses_of
from anomend.surveying.survey_desk import SurveyDesk, utc_now
from commands.survey_people import delete_person
from tests.conftest import ROOT
from tests.parameters import values_in_force, write_params
from tests.surveying.conftest import Survey, answers_of, build

JSON = {"Content-Type": "application/json"}
SECRET = "what lies beside the site"
SCRIPT = "<script>alert(1)</script>"
Serve = Callable[[Survey], str]


def ask(
    address: str, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
) -> tuple[int, bytes]:
    """One request, its path sent as it stands."""
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=60)
    try:
        connection.request(method, path, body, headers or {})
        reply = connection.getresponse()
        return reply.status, reply.read()
    finally:
        connection.close()


def post(address: str, content: Any, **headers: str) -> tuple[int, bytes]:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return ask(address, "POST", "/results", body, JSON | headers)


def stored(survey: Survey) -> pd.DataFrame:
    return read_responses(survey.imported())


def expected(survey: Survey, submission: dict[str, Any]) -> pd.DataFrame:
    sent = SurveySubmission.model_validate(submission)
    trials = survey.key.participants[sent.participant]
    rows = responses_of(sent, trials, survey.key, day=utc_now().date().isoformat())
    return pd.DataFrame(rows, columns=list(FILE_COLUMNS))


def malformed(survey: Survey, number: int) -> tuple[str, str, Any, dict[str, str]]:
    """One of twenty kinds of bad requests: method, path, body, headers. None of them may be stored."""
    draw = python_random(number, "malformed")
    code = draw.choice(sorted(survey.key.participants))
    good = answers_of(survey, code, "right")
    first, *others = good["answers"]

    def changed(**fields: Any) -> bytes:
        return json.dumps(good | {"answers": [first | fields, *others]}).encode()

    limit, dropped = SIZE_LIMIT, draw.choice(sorted(good))
    bodies: list[Any] = [
        changed(choice=SCRIPT),
        changed(reaction_ms=draw.choice([-1, 1.5, "900", True, None, 10**30])),
        changed(comment=SCRIPT),
        changed(trial=draw.choice([1, -1, 10**6])),
        changed(language=draw.choice(["fr", "../en", SCRIPT])),
        json.dumps(good | {"participant": SCRIPT}).encode(),
        json.dumps(
            good | {"participant": draw.choice(["../../x", "/etc/passwd", f"../{code}", f"{code}\0.csv"])}
        ).encode(),
        json.dumps(good | {"participant": "a" * 13}).encode(),
        json.dumps(good | {"survey": "0" * 16}).encode(),
        json.dumps(good | {"answers": others[1:]}).encode(),
        json.dumps(good | {"answers": [first, *good["answers"]]}).encode(),
        json.dumps(good | {"path": "x.csv"}).encode(),
        json.dumps({key: value for key, value in good.items() if key != dropped}).encode(),
        json.dumps(good).encode()[: draw.randrange(1, 200)],
        json.dumps(good).encode().replace(b"left", b"l\xff\xfeft").replace(b"right", b"r\xffght"),
        draw.choice([b"", b"null", b"[]", b"[" * 1000, b"{}", b"\0\1\2", b"NaN"]),
        json.dumps(good).encode() + b" " * limit,
        iter([json.dumps(good).encode(), b" " * limit]),  # Sent in chunks, without a length.
    ]
    kind = number % (len(bodies) + 3)
    if kind < len(bodies):
        return "POST", "/results", bodies[kind], JSON
    traversal = [
        "/../beside.txt",
        "/images/../../beside.txt",
        "/%2e%2e/beside.txt",
        "/..%2fbeside.txt",
        "/images/%2e%2e%2f%2e%2e%2fbeside.txt",
        "//beside.txt",
        f"/plans/../../results/{code}.csv",
        "/..\\beside.txt",
        "/link.txt/../../beside.txt",
        "/%00",
        "/plans/",
        "/images",
    ]
    return [
        ("GET", draw.choice(traversal), None, {}),
        (
            "POST",
            "/results",
            json.dumps(good).encode(),
            {"Content-Type": draw.choice(["text/plain", "multipart/form-data"])},
        ),
        (
            draw.choice(["PUT", "DELETE", "PATCH", "POST"]),
            f"/{draw.choice(['index.html', 'plans/x.js', ''])}",
            b"x",
            JSON,
        ),
    ][kind - len(bodies)]


@pytest.mark.slow
def test_200_at_once_among_1000_malformed_are_each_stored_once(tmp_path: Path, serve: Serve) -> None:
    survey = build(tmp_path, 220)
    (tmp_path / "beside.txt").write_text(SECRET)
    address = serve(survey)
    codes = sorted(survey.key.participants)
    valid = [answers_of(survey, code, "left") for code in codes[:200]]
    start = threading.Barrier(200)

    def submit(submission: dict[str, Any]) -> tuple[int, bytes]:
        start.wait()
        return post(address, submission)

    def attack(number: int) -> tuple[int, bytes]:
        method, path, body, headers = malformed(survey, number)
        try:
            return ask(address, method, path, body, headers)
        except (BrokenPipeError, ConnectionResetError):
            return 413, b""  # The server hung up on a body that was too long.

    with ThreadPoolExecutor(200) as honest, ThreadPoolExecutor(20) as hostile:
        accepted = [honest.submit(submit, submission) for submission in valid]
        attacks = list(hostile.map(attack, range(1000)))
        replies = [future.result() for future in accepted]
    assert Counter(status for status, _ in replies) == {201: 200}
    assert {status for status, _ in attacks} <= {400, 404, 405, 409, 413, 415, 422}
    # Nothing of what was sent comes back, and nothing from beside the site.
    assert not any(SECRET.encode() in content or b"script" in content for _, content in attacks)

    # Replayed with other answers, every one is refused; sent again as it was, it is still stored once.
    with ThreadPoolExecutor(32) as pool:
        replays = list(pool.map(lambda code: post(address, answers_of(survey, code, "right")), codes[:200]))
        again = list(pool.map(lambda submission: post(address, submission), valid))
    assert Counter(status for status, _ in replays) == {409: 200} and Counter(status for status, _ in again) == {
        201: 200
    }

    assert {path.name for path in survey.journals.iterdir()} == {f"{code}.jsonl" for code in codes[:200]}
    wanted = pd.concat([expected(survey, submission) for submission in valid], ignore_index=True)
    wanted = wanted.astype({"trial": str, "trials": str})
    pd.testing.assert_frame_equal(stored(survey), wanted, check_dtype=False)
    assert {path.name for path in survey.results.iterdir()} == {f"{code}.csv" for code in codes[:200]}


def test_one_of_many_with_the_same_code_wins(survey: Survey, serve: Serve) -> None:
    address, code = serve(survey), next(iter(survey.key.participants))
    with ThreadPoolExecutor(30) as pool:
        replies = list(pool.map(lambda ms: post(address, answers_of(survey, code, "left", ms)), range(1000, 1030)))
    assert Counter(status for status, _ in replies) == {201: 1, 409: 29}
    winner = next(ms for ms, (status, _) in enumerate(replies, start=1000) if status == 201)
    assert stored(survey)["reaction_ms"].iloc[0] == winner


def test_what_is_served_is_the_folder_and_nothing_else(survey: Survey, serve: Serve) -> None:
    address = serve(survey)
    for path in (path for path in survey.site.rglob("*") if path.is_file()):
        assert ask(address, "GET", f"/{path.relative_to(survey.site).as_posix()}") == (200, path.read_bytes())
    assert ask(address, "GET", "/") == (200, (survey.site / "index.html").read_bytes())
    # What appears after the start is not served either.
    (survey.site / "late.txt").write_text(SECRET)
    assert ask(address, "GET", "/late.txt")[0] == 404


def test_a_body_that_never_ends_is_cut_off(survey: Survey, serve: Serve) -> None:
    host, port = serve(survey).removeprefix("http://").split(":")
    sent = 0
    with socket.create_connection((host, int(port)), timeout=20) as connection, pytest.raises(OSError):
        head = (
            "POST /results HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        connection.sendall(head.encode())
        while True:
            connection.sendall(b"1000\r\n" + b" " * 0x1000 + b"\r\n")
            sent += 0x1000
    # Some megabytes may lie in the buffers of the operating system.
    assert sent < 50_000_000
    assert not survey.journals.exists()


def test_pages_of_other_sites_may_not_post(survey: Survey, serve: Serve) -> None:
    address, code = serve(survey), next(iter(survey.key.participants))
    # What a browser sends before a cross-origin JSON post; without a permission in the answer it stops there.
    connection = http.client.HTTPConnection(address.removeprefix("http://"))
    connection.request(
        "OPTIONS", "/results", headers={"Origin": "http://elsewhere.example", "Access-Control-Request-Method": "POST"}
    )
    assert "access-control-allow-origin" not in {name.lower() for name, _ in connection.getresponse().getheaders()}
    connection.close()
    assert post(address, answers_of(survey, code), **{"Content-Type": "text/plain"})[0] == 415


def test_a_folder_with_another_key_is_refused(survey: Survey, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = build(tmp_path / "other", 2)
    with pytest.raises(ValueError, match="does not hold the survey of this key: run `dvc repro survey`"):
        make_app(survey.site, SurveyDesk(other.key, survey.journals))


def started(folder: Path) -> tuple[subprocess.Popen[str], str, list[str]]:
    """The server as `make survey` starts it: the process, its address, the participants' codes."""
    process = subprocess.Popen(
        [sys.executable, "-m", "commands.survey_server", "--port", "0"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    links = []
    assert process.stdout is not None
    for line in process.stdout:
        links += re.findall(r"(http://127\.0\.0\.1:\d+)/#(\w+)", line)
        if "Ctrl+C" in line:
            break
    assert links, process.communicate()
    return process, links[0][0], [code for _, code in links]


def journals(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """What the server keeps of each participant."""
    return {path.stem: journal_rows(path) for path in (folder / "data" / "survey_answers").glob("*.jsonl")}


@pytest.mark.slow
def test_killed_in_the_middle_it_loses_no_answer_that_it_accepted(tmp_path: Path) -> None:
    survey = build(tmp_path, 120)
    write_key(tmp_path / "data" / "survey_key.json", survey.key)
    params = values_in_force()
    params["survey"]["responses"] = "results"
    write_params(tmp_path, params)
    process, address, codes = started(tmp_path)
    assert codes == list(survey.key.participants)
    accepted: list[str] = []

    def submit(code: str) -> None:
        try:
            if post(address, answers_of(survey, code))[0] == 201:
                accepted.append(code)
        except (OSError, http.client.HTTPException):
            return
        if len(accepted) >= 40:  # Two threads may pass 40 at once.
            process.kill()

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(submit, codes))
    process.communicate(timeout=20)
    assert 40 <= len(accepted) < 120
    whole = {code: expected(survey, answers_of(survey, code)).to_dict("records") for code in codes}
    kept = journals(tmp_path)
    assert set(kept) >= set(accepted)
    # A journal may end within what was not accepted yet; each of its lines is an answer that was sent.
    assert all(rows == whole[code][: len(rows)] for code, rows in kept.items())
    assert all(kept[code] == whole[code] for code in accepted)

    process, address, _ = started(tmp_path)
    assert {post(address, answers_of(survey, code))[0] for code in codes} == {201}
    assert not list(survey.results.iterdir())
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 0 and "Traceback" not in errors
    assert {path.stem for path in survey.results.glob("*.csv")} == set(codes)


@pytest.mark.slow
def test_open_to_the_network_its_links_work_and_the_researchers_page_stays_here(tmp_path: Path) -> None:
    survey = build(tmp_path, 2)
    write_key(tmp_path / "data" / "survey_key.json", survey.key)
    params = values_in_force()
    params["survey"]["responses"] = "results"
    write_params(tmp_path, params)
    command = [sys.executable, "-u", "-m", "commands.survey_server", "--host", "0.0.0.0", "--port", "0"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        lines = []
        for line in process.stdout:
            lines.append(line)
            if "Ctrl+C" in line:
                break
        text = "".join(lines)
        links = re.findall(r"(http://\S+)/#(\w{13})", text)
        own = re.search(r"Your own page, for nobody else: (http://127\.0\.0\.1:\d+/\S+/)", text)
        assert [code for _, code in links] == list(survey.key.participants) and own and "0.0.0.0" not in text
        assert "2 places taken" in text and f"{links[0][0]}/?PROLIFIC_PID=..." in text
        address = links[0][0]
        assert ask(address, "GET", "/")[0] == 200
        assert post(address, answers_of(survey, links[0][1]))[0] == 201
        host, path = own[1].removeprefix("http://").split("/", 1)
        status, page = ask(f"http://{host}", "GET", f"/{path}")
        assert status == 200 and b"1 finished" in page
        # The researcher's port is not open on the machine's other addresses, nor the page on the survey's port.
        assert ask(address, "GET", f"/{path}")[0] == 404
        outside = address.removeprefix("http://").partition(":")[0]
        if outside != "127.0.0.1":
            with pytest.raises(OSError):
                ask(f"http://{outside}:{host.partition(':')[2]}", "GET", f"/{path}")
        process.send_signal(signal.SIGINT)
        assert "1 participants' answers are in results/: commit them" in process.communicate(timeout=20)[0]
    assert [path.stem for path in survey.results.iterdir()] == [links[0][1]]


@pytest.mark.slow
def test_what_is_missing_is_named(tmp_path: Path) -> None:
    write_params(tmp_path, values_in_force())
    command = [sys.executable, "-m", "commands.survey_server"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert (
        done.stderr
        == "survey_server: survey.responses = 'data/survey' is not a folder: make it, or fix the parameter\n"
    )


def test_each_answer_is_kept_when_it_comes(survey: Survey, serve: Serve) -> None:
    address, code = serve(survey), next(iter(survey.key.participants))
    whole = answers_of(survey, code)
    assert post(address, whole | {"answers": whole["answers"][:1]})[0] == 201
    # Again, as after a reply that was lost; then the next one.
    assert post(address, whole | {"answers": whole["answers"][:1]})[0] == 201
    assert post(address, whole | {"answers": whole["answers"][1:2]})[0] == 201
    assert post(address, whole | {"answers": whole["answers"][3:4]})[0] == 409
    first, second = survey.rows(code)
    assert first == {
        "participant": code,
        **survey.key.participants[code][0].model_dump(),
        "choice": "left",
        "reaction_ms": 1500,
        "survey": survey.key.survey,
        "texts": survey.key.texts["en"],
        "consent": survey.key.consents["en"],
        "date": utc_now().date().isoformat(),
        "trial": 0,
        "trials": len(survey.key.participants[code]),
    }
    assert second["trial"] == 1
    status, reply = ask(address, "GET", f"/answered/{code}")
    assert status == 200 and json.loads(reply) == {"answered": 2, "asked": 10, "state": "open", "end": None}


def test_a_short_code_is_enough_and_half_of_it_is_not(survey: Survey, serve: Serve) -> None:
    address, code = serve(survey), next(iter(survey.key.participants))
    assert json.loads(ask(address, "GET", f"/code/{code[:8]}")[1]) == {"code": code}
    assert [ask(address, "GET", f"/code/{short}")[0] for short in (code[:7], "aaaaaaaa", code)] == [404] * 3


def test_a_withdrawal_deletes_answers_and_refuses_further_ones(survey: Survey, serve: Serve) -> None:
    address, code = serve(survey), next(iter(survey.key.participants))
    whole = answers_of(survey, code)
    assert post(address, whole)[0] == 201
    assert survey.imported() == [survey.results / f"{code}.csv"]
    assert ask(address, "POST", "/withdraw", json.dumps({"code": "a" * 13}).encode(), JSON)[0] == 422
    assert ask(address, "POST", "/withdraw", json.dumps({"code": code}).encode(), JSON)[0] == 200
    assert not list(survey.results.iterdir()) and survey.rows(code) == [] and survey.imported() == []
    assert post(address, whole)[0] == 409
    assert json.loads(ask(address, "GET", f"/answered/{code}")[1])["state"] == "withdrawn"


def test_answers_in_git_are_not_withdrawn_on_the_page(survey: Survey, tmp_path: Path) -> None:
    code = next(iter(survey.key.participants))
    survey.desk.take(json.dumps(answers_of(survey, code)).encode())
    survey.imported()
    for words in (
        ("init", "-q"),
        ("add", "results"),
        ("-c", "user.name=x", "-c", "user.email=x@example.org", "commit", "-qm", "answers"),
    ):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    desk = SurveyDesk(survey.key, survey.journals, folder=survey.results, committed=in_git)
    with pytest.raises(AlreadyStored, match="published"):
        desk.withdraw(json.dumps({"code": code}).encode())
    assert in_git(survey.results / f"{code}.csv") and not in_git(survey.results / "other.csv")
    # The researcher can, and is told what git still has.
    lines = delete_person(desk, code[:8])
    assert not list(survey.results.iterdir()) and "is in git: commit its deletion" in lines[-1]
    with pytest.raises(ValueError, match="is not the code of one person"):
        delete_person(desk, "aaaaaaaa")


def test_on_a_copy_without_journals_imported_answers_are_finished(survey: Survey) -> None:
    code = next(iter(survey.key.participants))
    survey.desk.take(json.dumps(answers_of(survey, code)).encode())
    survey.imported()
    shutil.rmtree(survey.journals)
    assert survey.desk.state(code) == "finished"
    with pytest.raises(AlreadyStored):
        survey.desk.take(json.dumps(answers_of(survey, code, "right")).encode())
