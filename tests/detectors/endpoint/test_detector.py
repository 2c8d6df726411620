"""Endpoints over real HTTP: each picture is asked about once, and what may leave this machine is said."""

from __future__ import annotations

import base64
import hashlib
import io
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from anomend.comparing.comparison import with_caution
from anomend.detectors.detector import Detector
from anomend.detectors.table import check_detector, make_detector
from tests.detectors.endpoint import answers as recorded
from tests.detectors.endpoint.answers import completion, hadm
from tests.detectors.settings import detector_params
from tests.purchasing.api_server import ApiServer, Seen, serve

HADM, CHAT = "/api/v1/detect-base64", "/v1/chat/completions"


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The store of answers, and no key or proxy of the machine's."""
    monkeypatch.setenv("ANOMEND_PAID_STORE", str(tmp_path / "paid"))
    monkeypatch.delenv("ANOMEND_ENDPOINT_KEY", raising=False)
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    return tmp_path / "paid" / "endpoints"


@pytest.fixture
def server() -> Iterator[ApiServer]:
    with serve(timeout_s=1.5) as running:
        yield running


def images(count: int) -> list[np.ndarray]:
    """The first is the darkest."""
    return [np.full((24, 16, 3), 20 + 40 * number, np.uint8) for number in range(count)]


def detector(server: ApiServer, form: str = "hadm", path: str = "", **settings: Any) -> Detector:
    name = f"endpoint:{server.url}{path}#{form}"
    check_detector(name, detector_params(**settings), "anomalies")
    return make_detector(name, detector_params(**settings))


def brightness(seen: Seen) -> float:
    """Of the picture that was sent."""
    if "image_base64" in seen.fields:
        data = seen.fields["image_base64"]
    else:
        data = seen.fields["messages"][0]["content"][0]["image_url"]["url"].partition("base64,")[2]
    return float(np.asarray(Image.open(io.BytesIO(base64.b64decode(data)))).mean())


def dark_is_wrong(seen: Seen) -> dict[str, Any]:
    return hadm(("human with extra leg", 0.8)) if brightness(seen) < 50 else hadm()


def test_every_picture_is_asked_about_once(server: ApiServer, store: Path) -> None:
    server.answers[HADM] = dark_is_wrong
    expected = [("extra_leg",), (), (), (), ()]
    assert detector(server).anomalies(images(5)) == expected
    assert len(server.seen) == 5 and all(set(seen.fields) == {"image_base64", "mode"} for seen in server.seen)
    # In another run, with a picture more, and one of another size.
    other = np.full((16, 16, 3), 200, np.uint8)
    assert detector(server).anomalies([*images(5), other]) == [*expected, ()]
    assert len(server.seen) == 6 and len(list(store.rglob("*.json"))) == 6
    said = detector(server)
    assert said.source == f"{server.url} (hadm)"
    # What is said of its rates, on which no clause of a verdict rests then.
    rates = with_caution({"anomaly_rate_target": {"base": 0.2}}, {"detector": said.name, **said.provenance()})
    assert rates["anomaly_rate_target"]["caution"] == (
        f"the detector {said.name} asks a model whose errors on these pictures nobody has measured"
    )


def test_a_language_model_gets_the_picture_and_the_words(server: ApiServer, tmp_path: Path) -> None:
    def answer(seen: Seen) -> dict[str, Any]:
        return completion(recorded.MAGIC_ANATOMY if brightness(seen) < 50 else "I would rather not say")

    server.answers[CHAT] = answer
    asked = detector(server, "magicassessor?model=MagicAssessor-7B", "/v1")
    assert asked.anomalies(images(2)) == [("deformed_hand", "deformed_foot"), ("unreadable_answer",)]
    (fields,) = {str({**seen.fields, "messages": 0}) for seen in server.seen}
    assert fields == str({"model": "MagicAssessor-7B", "messages": 0, "temperature": 0, "max_tokens": 2048})
    assert "Whether Normal" in server.seen[0].fields["messages"][0]["content"][1]["text"]
    # With the model's own words, everything is asked anew, under their digest.
    words = tmp_path / "words.txt"
    words.write_text("Is this a body?")
    digest = hashlib.sha256(words.read_bytes()).hexdigest()
    form = f"magicassessor?model=MagicAssessor-7B&instructions={words}&sha256={digest}"
    detector(server, form, "/v1").anomalies(images(2))
    assert [seen.fields["messages"][0]["content"][1]["text"] for seen in server.seen[2:]] == ["Is this a body?"] * 2
    words.write_text("Is this a leg?")
    with pytest.raises(ValueError, match=r"is not the pinned file: its SHA-256 is [0-9a-f]{64}"):
        detector(server, form, "/v1")


def test_faults_that_pass_are_tried_again_and_what_was_answered_is_kept(server: ApiServer) -> None:
    server.answers[HADM] = dark_is_wrong
    # Each picture has its own faults: three in a row for one picture end the run, and requests come in any order.
    faults = {20: iter(["500", "429"]), 60: iter(["cut"])}
    server.fault_of = lambda _, seen: next(faults.get(round(brightness(seen)), iter(())), None)
    assert detector(server).anomalies(images(3)) == [("extra_leg",), (), ()]
    assert len(server.seen) == 6
    server.fault_of = lambda *_: "500"
    with pytest.raises(ValueError, match=r"answers 500: .*had an error.*, 3 times in a row: run again later"):
        detector(server).anomalies(images(4))
    server.fault_of = lambda *_: None
    sent = len(server.seen)
    assert detector(server).anomalies(images(4)) == [("extra_leg",), (), (), ()] and len(server.seen) == sent + 1


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ("no json", "does not answer with JSON, 3 times"),
        ("[1]", "does not answer with a JSON object"),
        ({"success": False, "message": "Inference failed: no GPU"}, "as hadm: it says: Inference failed: no GPU"),
        ({"boxes": []}, "does not answer as hadm: success: Field required"),
        (hadm() | {"message": "x" * 2_000_000}, "answers with more than 1,000,000 bytes"),
    ],
)  # fmt: skip
def test_an_answer_that_is_none_is_not_kept(server: ApiServer, store: Path, answer: Any, sentence: str) -> None:
    server.answers[HADM] = lambda _: answer
    with pytest.raises(ValueError, match=sentence):
        detector(server).anomalies(images(1))
    assert len(server.seen) == 3 and not list((store / "answers").rglob("*.json"))


def test_an_answer_that_takes_too_long_is_not_waited_for(server: ApiServer) -> None:
    def slow(seen: Seen) -> dict[str, Any]:
        time.sleep(1.2)
        return hadm()

    server.answers[HADM] = slow
    begun = time.monotonic()
    with pytest.raises(ValueError, match=r"gave no answer in 0\.3 s, 3 times in a row"):
        detector(server, timeout_s=0.3).anomalies(images(1))
    assert time.monotonic() - begun < 3


def test_a_wrong_address_or_key_ends_at_once(server: ApiServer) -> None:
    with pytest.raises(ValueError, match=r"is not such an endpoint \(it answers 404\): fix the address"):
        detector(server, "hadm", "/elsewhere").anomalies(images(3))
    server.fault_of = lambda *_: "401"
    server.answers[HADM] = dark_is_wrong
    with pytest.raises(ValueError, match=r"refuses the key \(401\): set ANOMEND_ENDPOINT_KEY"):
        detector(server).anomalies(images(1))


def test_the_key_is_sent_and_kept_nowhere(server: ApiServer, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANOMEND_ENDPOINT_KEY", "secret-7")
    server.answers[HADM] = dark_is_wrong
    detector(server).anomalies(images(1))
    assert server.seen[0].key == "Bearer secret-7"
    assert not any(b"secret-7" in path.read_bytes() for path in store.rglob("*.json"))


def test_no_redirection_is_followed(server: ApiServer) -> None:
    class Redirects(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(307)
            self.send_header("Location", f"{server.url}{HADM}")
            self.end_headers()

        def log_message(self, *_: Any) -> None: ...

    server.answers[HADM] = dark_is_wrong
    with HTTPServer(("127.0.0.1", 0), Redirects) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        name = f"endpoint:http://127.0.0.1:{other.server_address[1]}#hadm"
        with pytest.raises(ValueError, match="it answers 307"):
            make_detector(name, detector_params()).anomalies(images(1))
        other.shutdown()
    assert server.seen == []


def test_pictures_leave_this_machine_only_with_permission_and_a_sentence(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "endpoint:http://gpu.example:8080#hadm"
    with pytest.raises(ValueError, match=r"gpu\.example is not this machine.*set detectors\.endpoint\.remote=true"):
        check_detector(name, detector_params(), "anomalies")
    make_detector(name, detector_params(remote=True))
    assert "pictures leave this machine: each one that is checked is sent to http://gpu.example:8080" in (
        capsys.readouterr().err
    )
    monkeypatch.setenv("ANOMEND_ENDPOINT_KEY", "secret-7")
    with pytest.raises(ValueError, match=r"would be sent to gpu\.example unencrypted: use its https address"):
        check_detector(name, detector_params(remote=True), "anomalies")
    for here in ("127.0.0.1", "localhost", "[::1]"):
        make_detector(f"endpoint:http://{here}:8080#hadm", detector_params())
    assert "leave this machine" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("http://127.0.0.1:1", "does not have the shape endpoint:URL#hadm"),
        ("http://127.0.0.1:1#yolo", "does not have the shape"),
        ("ftp://127.0.0.1#hadm", "does not have the shape"),
        ("http://127.0.0.1:99999#hadm", "does not have the shape"),
        ("http://127.0.0.1:1#sdg?modle=x", "does not have the shape"),
        ("http://127.0.0.1:1#sdg", r"needs the model's name, as in \?model=NAME"),
        ("http://127.0.0.1:1#hadm?model=x", "takes neither model nor instructions"),
        ("http://127.0.0.1:1#sdg?model=x&instructions=a.txt", "name instructions=FILE and its sha256=DIGEST together"),
        ("http://127.0.0.1:1?api_key=secret#hadm", "put a key into ANOMEND_ENDPOINT_KEY"),
        ("http://me:secret@127.0.0.1:1#hadm", "put a key into ANOMEND_ENDPOINT_KEY"),
    ],
)
def test_a_name_of_another_shape_is_refused(name: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence) as told:
        check_detector(f"endpoint:{name}", detector_params(), "anomalies")
    assert "secret" not in str(told.value)
