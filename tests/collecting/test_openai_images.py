"""Images bought from OpenAI, over real HTTP: faults, kills, money, keys."""

from __future__ import annotations

import base64
import io
import itertools
import json
import random
import shutil
import signal
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from anomend.pictures.image_sets import load_image, read_imagefolder
from stages.collect import main
from tests.conftest import ROOT
from tests.parameters import values_in_force, write_params
from tests.purchasing.api_server import TRANSIENT, ApiServer, Seen, image_answer, serve
from tests.purchasing.stage_run import finish, last_line, no_key_anywhere, run_here, start

pytestmark = pytest.mark.slow


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with what the stage reads; 6 individuals of 5 images each."""
    for name in ("prompts", "prices.csv", "retired_models.csv"):
        source = ROOT / "data" / name
        target = tmp_path / "data" / name
        target.parent.mkdir(exist_ok=True)
        shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
    change(tmp_path, {})
    return tmp_path


def change(project: Path, collect: dict[str, Any], *, timeout_s: float = 60.0, **bought: Any) -> None:
    """Write the parameters. The client waits long, so that a busy machine is not taken for a fault."""
    params = values_in_force()
    params["collect"] |= {"source": "openai", "images": 30, "max_usd": 50.0} | collect
    params["collect"]["openai"] |= {"people": [f"person number {number}" for number in range(6)]} | bought
    params["collect"]["openai"]["requests"] |= {"first_wait_s": 0.05, "timeout_s": timeout_s, "attempts": 12}
    write_params(project, params)


def run(project: Path, server: ApiServer | None, **changes: str) -> tuple[int, str]:
    return run_here("collect", main, project, server, **changes)


def stored(project: Path) -> set[str]:
    return {path.stem for path in (project / "paid" / "answers").rglob("*.json") if not path.name.startswith(".")}


def metrics(project: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((project / "metrics" / "collect.json").read_text())
    return content


def subject(seen: Seen) -> tuple[str, str]:
    """What identifies a request, in the server's log and in the store."""
    return str(seen.fields["prompt"]), str(seen.fields.get("image", ""))


def in_store(project: Path) -> set[tuple[str, str]]:
    subjects = set()
    for path in (project / "paid" / "answers").rglob("*.json"):
        if not path.name.startswith("."):
            request = json.loads(path.read_text())["request"]
            subjects.add((request["prompt"], request.get("image_sha256", "")))
    return subjects


def test_a_bought_picture_with_broken_exif_is_kept_with_a_note(project: Path) -> None:
    def broken(seen: Seen) -> dict[str, Any]:
        answer = image_answer(seen)
        stream = io.BytesIO()
        Image.open(io.BytesIO(base64.b64decode(answer["data"][0]["b64_json"]))).save(
            stream, "PNG", exif=b"Exif\0\0\x00\x08\x00\x02\x01\x12\x00\x03"
        )
        answer["data"][0]["b64_json"] = base64.b64encode(stream.getvalue()).decode()
        return answer

    change(project, {"images": 5})
    with serve() as server:
        server.answers = dict.fromkeys(server.answers, broken)
        code, output = run(project, server)
    assert code == 0, output
    table = read_imagefolder(project / "data" / "collected")
    assert list(table["changes"]) == [["damaged EXIF, so not turned"]] * 5


def test_30_images_from_a_third_of_faults_and_five_kills(project: Path) -> None:
    draw, kinds = random.Random(11), itertools.cycle(TRANSIENT)

    def faults(number: int, seen: Seen) -> str | None:
        return next(kinds) if draw.random() < 1 / 3 else None

    moments = random.Random(5)
    change(project, {}, timeout_s=2.0)
    with serve(faults, retry_after="0.1", timeout_s=2.6) as server:
        kills = 0
        while kills < 5:
            already, before = in_store(project), len(server.seen)
            wanted = before + moments.randrange(2, 9)
            process = start("collect", project, server)
            while len(server.seen) < wanted and process.poll() is None:
                time.sleep(0.002)
            time.sleep(moments.random() * 0.05)
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
                kills += 1
            process.communicate()
            # Nothing that was in the store when the run began was requested.
            assert not already & {subject(seen) for seen in server.seen[before:]}
        already, before = in_store(project), len(server.seen)
        code, output = finish(start("collect", project, server))
        assert code == 0, output
        assert not already & {subject(seen) for seen in server.seen[before:]}
        log = list(server.seen)

    images = read_imagefolder(project / "data" / "collected")
    assert len(images) == 30 and images["individual"].nunique() == 6
    assert all(load_image(path).shape == (64, 64, 3) for path in images["path"])
    collected = metrics(project)
    answered = [subject(seen) for seen in log if seen.answered]
    assert len(set(answered)) == 30
    # A whole answer was sent twice only where a kill fell between the answer and the store.
    repeats = len(answered) - len(set(answered))
    assert repeats <= collected["repeated_after_kill"] <= 5 * 4
    assert collected["repeated_after_kill"] > 0
    assert {seen.fault for seen in log} >= {*TRANSIENT, None}
    # 6 first images at 100 text + 1000 output tokens, 24 edits with 1000 image tokens more: $5, $8, $30 a million.
    assert collected["spend_usd"] == pytest.approx((30 * (100 * 5 + 1000 * 30) + 24 * 1000 * 8) / 1e6)
    assert collected["requests_paid"] + collected["requests_from_store"] == 30

    # Run again, with the server gone and no permission to spend: the same images, out of the store.
    before_bytes = {path.name: path.read_bytes() for path in (project / "data" / "collected").iterdir()}
    code, output = run(project, None, ANOMEND_ALLOW_SPEND="0", OPENAI_API_KEY="")
    assert code == 0, output
    assert {path.name: path.read_bytes() for path in (project / "data" / "collected").iterdir()} == before_bytes
    assert metrics(project)["requests_paid"] == 0 and metrics(project)["requests_from_store"] == 30
    no_key_anywhere(project)


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ("401", "OpenAI refuses the key (401): set OPENAI_API_KEY"),
        ("quota", "the account has no credit left"),
        ("unknown_model", "does not know the model"),
        ("bad_request", "size is not allowed"),
    ],
)
def test_a_permanent_failure_stops_the_run_at_once_and_keeps_paid_answers(
    project: Path, fault: str, sentence: str
) -> None:
    with serve(lambda number, seen: fault if number >= 3 else None) as server:
        code, output = run(project, server)
        assert code == 1 and sentence in last_line(output) and "Traceback" not in output
        assert len(stored(project)) == 3
        # At most what was in flight already followed the first refusal.
        assert len(server.seen) <= 3 + 4
    with serve() as server:
        code, output = run(project, server)
        assert code == 0, output
        assert len(server.seen) == 27
    no_key_anywhere(project)


def test_an_exhausted_budget_stops_before_the_money_is_gone(project: Path) -> None:
    with serve() as server:
        # The plan is refused as a whole where it is known not to fit.
        change(project, {"max_usd": 1.0})
        code, output = run(project, server)
        assert code == 1 and "collect.max_usd allows $1.00: raise it, or ask for less" in last_line(output)
        assert server.seen == []
    # Answers that cost more than estimated end the run when the money is spent.
    with serve() as server:
        dear = server.answers["/v1/images/generations"]
        server.answers = dict.fromkeys(
            server.answers, lambda seen: dear(seen) | {"usage": dear(seen)["usage"] | {"output_tokens": 50_000}}
        )
        change(project, {"max_usd": 6.0})
        code, output = run(project, server)
        assert code == 1 and "the budget is exhausted" in last_line(output), output
        paid = len(stored(project))
        assert paid == sum(seen.answered for seen in server.seen)
        # Estimates were set aside first, so only requests in flight could exceed the budget.
        assert paid * 1.5005 <= 6.0 + 4 * 1.51
    assert 0 < paid < 30


def test_nothing_is_bought_without_permission_or_key(project: Path) -> None:
    with serve() as server:
        code, output = run(project, server, ANOMEND_ALLOW_SPEND="")
        assert code == 1 and "set ANOMEND_ALLOW_SPEND=1 to permit it" in last_line(output)
        code, output = run(project, server, OPENAI_API_KEY="")
        assert code == 1 and "OPENAI_API_KEY is not set" in last_line(output)
        assert server.seen == []


@pytest.mark.parametrize("model", ["dall-e-2", "dall-e-3", "gpt-image-1"])
def test_a_retired_model_is_refused_before_any_request(project: Path, model: str) -> None:
    change(project, {}, model=model)
    with serve() as server:
        code, output = run(project, server)
        assert code == 1 and f"{model!r} was retired on 2026-" in last_line(output)
        assert "gpt-image-2.5-sunburst" in last_line(output) and server.seen == []


def test_a_moderation_refusal_is_recorded_and_skipped(project: Path) -> None:
    def fault_of(number: int, seen: Seen) -> str | None:
        return "moderation" if "person number 2" in seen.fields["prompt"] or "beach" in seen.fields["prompt"] else None

    with serve(fault_of) as server:
        code, output = run(project, server)
        assert code == 0, output
        # One individual was refused, with its four contexts; of the other five, one context each.
        assert metrics(project)["images"] == 30 - 5 - 5
        assert metrics(project)["skipped"] == 10 and metrics(project)["requests_refused"] == 6
        requests = len(server.seen)
        assert run(project, server)[0] == 0
        assert len(server.seen) == requests  # A refusal is not requested again.
    assert "refused: Rejected." in output and "there is no reference" in output


def test_retry_after_is_honoured(project: Path) -> None:
    change(project, {"images": 5})
    with serve(lambda number, seen: "429" if number == 0 else None, retry_after="2") as server:
        assert run(project, server)[0] == 0
        first, second = server.seen[:2]
        assert 2.0 <= second.at - first.at < 10


def test_the_reference_is_the_first_image_and_reaches_the_api(project: Path) -> None:
    change(project, {"images": 5}, input_fidelity="high")
    with serve() as server:
        assert run(project, server)[0] == 0
    first, *edits = server.seen
    assert first.path == "/v1/images/generations" and "person number 0" in first.fields["prompt"]
    images = {
        json.loads(path.read_text())["request"].get("image_sha256") for path in (project / "paid").rglob("*.json")
    }
    assert len(edits) == 4
    for edit in edits:
        assert edit.path == "/v1/images/edits" and edit.fields["image"] in images
        assert edit.fields["input_fidelity"] == "high" and "hands" in edit.fields["prompt"]
    captions = list(read_imagefolder(project / "data" / "collected")["text"])
    assert captions[:3] == ["lying on the grass", "sitting on a bench in a park", "standing on a quiet street"]


def test_a_dry_run_requests_nothing_and_leaves_nothing(project: Path) -> None:
    before = {path for path in project.rglob("*") if "paid" not in path.parts}
    with serve() as server:
        code, output = run_here(
            "collect",
            partial(main, dry_run=True),
            project,
            server,
            measured=False,
            OPENAI_API_KEY="",
            ANOMEND_ALLOW_SPEND="",
        )
        assert code == 0 and "30 images from gpt-image-2.5-sunburst (6 individuals, 24 edits)" in output
        assert "30 to buy for about $" in output and server.seen == []
    assert {path for path in project.rglob("*") if "paid" not in path.parts} == before


def test_two_runs_at_once_do_not_pay_twice(project: Path) -> None:
    with serve(lambda number, seen: "429" if number == 0 else None, retry_after="8") as server:
        first = start("collect", project, server)
        while not server.seen:
            time.sleep(0.01)
        code, output = run(project, server)
        assert code == 1 and "another run of this stage" in last_line(output)
        assert finish(first)[0] == 0
        assert sum(seen.answered for seen in server.seen) == 30
