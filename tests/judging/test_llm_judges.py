"""The LLM judges over real HTTP: what is sent, what comes back, faults, kills, money, keys."""

from __future__ import annotations

import base64
import io
import itertools
import json
import random
import re
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from anomend.judging.answers import read_answers
from anomend.judging.llm_requests import Encoder
from anomend.miniature.drawn_people import render, sample_scene
from anomend.project.seeding import python_random
from stages.judge import main
from tests.conftest import ROOT
from tests.parameters import values_in_force, write_params
from tests.purchasing.api_server import TRANSIENT, ApiServer, Seen, serve
from tests.purchasing.stage_run import finish, last_line, no_key_anywhere, run_here, start

pytestmark = pytest.mark.slow

PATHS = {"anthropic": "/v1/messages", "openai": "/v1/responses"}
COUNTS = {"people": 1, "heads": 1, "arms": 2, "legs": 2}
VERDICT: dict[str, Any] = {
    "image_a": COUNTS,
    "image_b": COUNTS | {"arms": 3},
    "anatomy": "A",
    "physical_plausibility": "tie",
    "lighting": "B",
    "prompt": None,
    "overall": "A",
    "reason": "The second figure has an arm too many.",
}
HIT = tuple(fault for fault in TRANSIENT if fault not in ("bad_base64", "truncated_png"))


def anthropic_answer(text: str, stop_reason: str = "end_turn") -> dict[str, Any]:
    """A message as the Messages API sends it."""
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-opus-5-5",
        "content": [
            {"type": "thinking", "thinking": "Let me count.", "signature": "x"},
            {"type": "text", "text": text},
        ],
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "usage": {"input_tokens": 1000, "output_tokens": 100},
    }


def openai_answer(text: str, status: str = "completed", refusal: str | None = None) -> dict[str, Any]:
    """A response as the Responses API sends it."""
    part = {"type": "output_text", "text": text, "annotations": []} if refusal is None else refused(refusal)
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "model": "gpt-6.2-sol",
        "status": status,
        "incomplete_details": {"reason": "max_output_tokens"} if status == "incomplete" else None,
        "output": [
            {"id": "msg_1", "type": "message", "role": "assistant", "status": status, "content": [part]},
        ],
        "parallel_tool_calls": False,
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": 1000,
            "output_tokens": 100,
            "total_tokens": 1100,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens_details": {"reasoning_tokens": 0},
        },
    }


def refused(why: str) -> dict[str, Any]:
    return {"type": "refusal", "refusal": why}


def answer(provider: str, text: str) -> dict[str, Any]:
    return anthropic_answer(text) if provider == "anthropic" else openai_answer(text)


def special(provider: str, kind: str) -> dict[str, Any]:
    """Answers that arrive whole and are not verdicts."""
    if kind == "refusal":
        return (
            anthropic_answer("", "refusal")
            if provider == "anthropic"
            else openai_answer("", refusal="I cannot do that")
        )
    if kind == "cut":
        text = json.dumps(VERDICT)[:30]
        return anthropic_answer(text, "max_tokens") if provider == "anthropic" else openai_answer(text, "incomplete")
    return answer(provider, json.dumps(VERDICT | {"overall": "C"}))  # Outside the schema.


@pytest.fixture(params=["anthropic", "openai"])
def provider(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def project(tmp_path: Path, provider: str) -> Path:
    """Six pairs of 2 prompts; the tuned images are darker."""
    for name in ("prices.csv", "retired_models.csv"):
        (tmp_path / "data").mkdir(exist_ok=True)
        shutil.copy(ROOT / "data" / name, tmp_path / "data" / name)
    for model, grey in (("base", 200), ("tuned", 50)):
        folder = tmp_path / "data" / "samples" / model
        folder.mkdir(parents=True)
        rows = []
        for number, prompt in itertools.product(range(3), ("lying on the grass", "lying on the street")):
            name = f"{prompt[-5:]}{number}.png"
            pixels = np.full((64, 48, 3), grey + number, np.uint8)
            pixels[:, :, 2] = len(prompt)
            Image.fromarray(pixels).save(folder / name)
            rows.append({"file_name": name, "text": prompt, "prompt": prompt, "seed": number, "group": "target"})
        (folder / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    change(tmp_path, provider)
    return tmp_path


def change(project: Path, provider: str, *, timeout_s: float = 60.0, **judge: Any) -> None:
    """Write the parameters. The client waits long, so that a busy machine is not taken for a fault."""
    params = values_in_force()
    params["judge"] |= {"judges": [provider], "repeats": 2, "image_size": 128, "max_tokens": 1000} | judge
    params["judge"]["requests"] |= {"first_wait_s": 0.05, "timeout_s": timeout_s, "attempts": 12}
    write_params(project, params)


def run(project: Path, server: ApiServer | None, **changes: str) -> tuple[int, str]:
    return run_here("judge", main, project, server, **changes)


def metrics(project: Path, provider: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((project / "metrics" / "judge.json").read_text())[provider]
    return content


def images_of(seen: Seen) -> list[Image.Image]:
    """The images of a request, in their order."""
    blocks = seen.fields["messages" if "messages" in seen.fields else "input"][0]["content"]
    encoded = []
    for block in blocks:
        if block["type"] == "image":
            encoded.append(block["source"]["data"])
        elif block["type"] == "input_image":
            encoded.append(block["image_url"].partition("base64,")[2])
    return [Image.open(io.BytesIO(base64.b64decode(data))) for data in encoded]


def prefers_dark(provider: str) -> Callable[[Seen], dict[str, Any]]:
    """A judge that sees the darker image, and puts it first."""

    def judge(seen: Seen) -> dict[str, Any]:
        first, second = (float(np.asarray(image).mean()) for image in images_of(seen))
        return answer(provider, json.dumps(VERDICT | {"overall": "A" if first < second else "B"}))

    return judge


def test_what_is_sent_and_what_is_kept(project: Path, provider: str) -> None:
    with serve() as server:
        server.answers[PATHS[provider]] = prefers_dark(provider)
        code, output = run(project, server)
        assert code == 0, output
        log = list(server.seen)
    # 6 pairs in 2 orders, twice.
    assert len(log) == 24 and {seen.path for seen in log} == {PATHS[provider]}
    assert "24 to buy for about $" in output
    for seen in log:
        sent = json.dumps(seen.fields)
        # Nothing tells which model drew which image.
        assert not any(word in sent for word in ("base_first", "tuned", "samples", ".png"))
        assert all(max(image.size) == 128 for image in images_of(seen))
        schema = seen.fields["output_config" if provider == "anthropic" else "text"]["format"]["schema"]
        assert schema["additionalProperties"] is False and schema["required"] == list(schema["properties"])
        # Counts first, then the criteria, then the choice, then the reason: a model writes in this order.
        assert list(schema["properties"]) == list(VERDICT)
        assert schema["properties"]["image_a"]["required"] == ["people", "heads", "arms", "legs"]
        assert not {"$ref", "$defs", "maxLength", "minimum"} & set(re.findall(r'"(\$?\w+)"', json.dumps(schema)))
    answers = read_answers(project / "data" / "judgements" / f"{provider}.jsonl")
    assert len(answers) == 24 and all(each.verdict is not None for each in answers)
    assert {each.details["request_id"] for each in answers} == {"req_test"}
    assert all(each.details["usage"]["input_tokens"] == 1000 for each in answers)
    judged = metrics(project, provider)
    assert judged["win_rate_tuned"] == 1.0 and judged["pairs"] == 6 and judged["unparsed"] == 0
    assert judged["first_position_rate"] == 0.5 and judged["consistency"] == 1.0 and "caution" not in judged
    # The judge counts three arms in whatever comes second.
    assert judged["extra_limbs"] == {"base": 0.5, "tuned": 0.5}
    # 1000 tokens in and 100 out: $4 and $20 a million for claude-opus-5-5, $2 and $10 for gpt-6.2-sol.
    assert judged["spend_usd"] == pytest.approx(24 * (0.006 if provider == "anthropic" else 0.003))
    # Analysed again, nothing is bought: the server is gone, and there is neither key nor permission.
    code, output = run(project, None, ANOMEND_ALLOW_SPEND="", OPENAI_API_KEY="", ANTHROPIC_API_KEY="")
    assert code == 0, output
    assert metrics(project, provider) == judged | {"requests_paid": 0, "requests_from_store": 24}
    no_key_anywhere(project)


def test_killed_at_random_among_faults_it_asks_no_stored_answer_again(project: Path, provider: str) -> None:
    draw, kinds, moments = random.Random(3), itertools.cycle(HIT), random.Random(4)

    def fault_of(number: int, seen: Seen) -> str | None:
        return next(kinds) if draw.random() < 1 / 3 else None

    change(project, provider, timeout_s=2.0)

    def stored() -> int:
        return len([path for path in (project / "paid" / "answers").rglob("*.json") if path.name[0] != "."])

    with serve(fault_of, retry_after="0.1", timeout_s=2.6) as server:
        server.answers[PATHS[provider]] = prefers_dark(provider)
        kills, kept = 0, 0
        while kills < 3:
            wanted = len(server.seen) + moments.randrange(2, 6)
            process = start("judge", project, server)
            while len(server.seen) < wanted and process.poll() is None:
                time.sleep(0.002)
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
                kills += 1
            process.communicate()
            assert stored() >= kept
            kept = stored()
        code, output = finish(start("judge", project, server))
        assert code == 0, output
        answered = [seen.identity for seen in server.seen if seen.answered]
    judged = metrics(project, provider)
    assert judged["requests_paid"] + judged["requests_from_store"] == 24 and judged["unparsed"] == 0
    # Repeats are sent alike: the identities of 12 questions, each asked twice.
    assert len(set(answered)) == 12
    assert len(answered) - 24 <= judged["repeated_after_kill"] <= 3 * 4
    no_key_anywhere(project)


NAMED = {
    "refusal": {"anthropic": "refused: the model refused", "openai": "refused: I cannot do that"},
    "cut": dict.fromkeys(PATHS, "cut off at 1000 tokens: raise judge.max_tokens"),
    "schema": dict.fromkeys(PATHS, "overall: Input should be 'A', 'B' or 'tie'"),
}


@pytest.mark.parametrize("kind", ["refusal", "cut", "schema"])
def test_an_answer_that_is_not_a_verdict_is_named_asked_again_once_and_never_guessed(
    project: Path, provider: str, kind: str
) -> None:
    numbers = itertools.count()
    with serve() as server:
        dark = prefers_dark(provider)
        # Every fourth of the first 24 answers, and all second ones.
        server.answers[PATHS[provider]] = lambda seen: (
            special(provider, kind) if (number := next(numbers)) % 4 == 0 or number >= 24 else dark(seen)
        )
        code, output = run(project, server)
        assert code == 0, output
        requests = len(server.seen)
        assert requests == (24 if kind == "refusal" else 30)
        # Whether there is permission or not, nothing is asked a third time.
        assert run(project, server)[0] == 0 and len(server.seen) == requests
        assert run(project, None, ANOMEND_ALLOW_SPEND="")[0] == 0
    judged = metrics(project, provider)
    assert judged["unparsed"] == 6
    assert judged["refused"] == judged["requests_refused"] == (6 if kind == "refusal" else 0)
    assert judged["cut_off"] == (6 if kind == "cut" else 0)
    assert judged["asked_again"] == (0 if kind == "refusal" else 6)
    assert judged["spend_usd"] == pytest.approx(requests * (0.006 if provider == "anthropic" else 0.003))
    unparsed = [
        each for each in read_answers(project / "data" / "judgements" / f"{provider}.jsonl") if not each.verdict
    ]
    assert [each.unparsed for each in unparsed] == [NAMED[kind][provider]] * 6
    told = f"6 of 24 answers are not verdicts and are left out (6 times {NAMED[kind][provider]})"
    assert told in output and ("6 of 24 answers cannot be read" in output) == (kind != "refusal")


def test_the_second_answer_counts_where_the_first_cannot_be_read(project: Path, provider: str) -> None:
    numbers = itertools.count()
    with serve() as server:
        dark = prefers_dark(provider)
        server.answers[PATHS[provider]] = lambda seen: special(provider, "cut") if next(numbers) < 5 else dark(seen)
        code, output = run(project, server)
        assert code == 0 and len(server.seen) == 29, output
    judged = metrics(project, provider)
    assert (judged["unparsed"], judged["asked_again"], judged["pairs"]) == (0, 5, 6)
    answers = read_answers(project / "data" / "judgements" / f"{provider}.jsonl")
    price = 0.006 if provider == "anthropic" else 0.003
    assert sorted(round(answer.details["usd"] / price) for answer in answers) == [1] * 19 + [2] * 5


def test_without_money_for_second_answers_the_first_ones_stay_and_the_user_is_told(
    project: Path, provider: str
) -> None:
    with serve() as server:
        server.answers[PATHS[provider]] = lambda _: answer(provider, json.dumps(VERDICT | {"overall": "C"}))
        assert run(project, server)[0] == 0 and len(server.seen) == 48
        for path in (project / "paid" / "answers").rglob("*.json"):
            if json.loads(path.read_text())["request"].get("asked_again"):
                path.unlink()
        for changes, why in (
            ({"ANOMEND_ALLOW_SPEND": ""}, "set ANOMEND_ALLOW_SPEND=1"),
            ({"OPENAI_API_KEY": "", "ANTHROPIC_API_KEY": ""}, "_API_KEY is not set"),
        ):
            code, output = run(project, server, **changes)
            assert code == 0 and len(server.seen) == 48, output
            assert re.search(rf"24 of 24 answers cannot be read .* They are not asked again: .*{why}", output)
        change(project, provider, max_usd=0.2)
        code, output = run(project, server)
        assert code == 0 and len(server.seen) == 48 and "judge.max_usd allows $0.20" in output
    judged = metrics(project, provider)
    assert (judged["unparsed"], judged["asked_again"], judged["requests_from_store"]) == (24, 0, 24)


def test_without_permission_no_picture_is_encoded_and_the_total_of_all_judges_is_named(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def encoded(*_: Any) -> bytes:
        raise AssertionError("a picture was encoded")

    monkeypatch.setattr(Encoder, "png", encoded)
    change(project, "openai", judges=["openai", "anthropic"])
    with serve() as server:
        code, output = run(project, server, ANOMEND_ALLOW_SPEND="")
        # 1100 tokens of text and 35 of both images in, 1000 out: $4 and $20 a million, and $2 and $10.
        total = 24 * (1135 * 4 + 1000 * 20 + 1135 * 2 + 1000 * 10) / 1e6
        assert code == 1 and f"this would cost up to ${total:.2f}: set ANOMEND_ALLOW_SPEND=1" in last_line(output)
        assert f"together: 48 to buy for about ${total:.2f}, $0.00 spent so far" in output
        # The second judge's budget and key are looked at before the first one is paid.
        code, output = run(project, server, ANTHROPIC_API_KEY="")
        assert code == 1 and "ANTHROPIC_API_KEY is not set" in last_line(output)
        assert server.seen == []


def test_a_long_reason_is_shortened_and_not_thrown_away(project: Path, provider: str) -> None:
    with serve() as server:
        long = json.dumps(VERDICT | {"reason": "w" * 3000})
        server.answers[PATHS[provider]] = lambda _: answer(provider, long)
        code, output = run(project, server)
        assert code == 0 and len(server.seen) == 24, output
    answers = read_answers(project / "data" / "judgements" / f"{provider}.jsonl")
    assert {len(each.verdict.reason) for each in answers if each.verdict} == {500}
    assert all(each.raw == long for each in answers) and metrics(project, provider)["unparsed"] == 0


def test_a_strong_preference_for_a_position_is_a_caution(project: Path, provider: str) -> None:
    with serve() as server:
        server.answers[PATHS[provider]] = lambda _: answer(provider, json.dumps(VERDICT))
        code, output = run(project, server)
        assert code == 0, output
    judged = metrics(project, provider)
    assert judged["first_position_rate"] == 1 and judged["win_rate_tuned"] == 0.5
    assert "it names the first image in 100% of its decided answers" in judged["caution"]
    assert f"judge {provider}: {judged['caution']}" in output


def test_models_are_asked_what_people_are_asked(project: Path, provider: str) -> None:
    params = values_in_force()
    people = params["survey"]["question"]
    params["judge"] |= {"judges": [provider], "pairs_per_prompt": 1, "image_size": 128}
    with serve() as server:
        server.answers[PATHS[provider]] = prefers_dark(provider)
        for question in (people, "Which picture has the better hands?"):
            params["survey"]["question"] = question
            write_params(project, params)
            assert run(project, server)[0] == 0
    texts = [json.dumps(seen.fields) for seen in server.seen]
    assert len(texts) == 8 and sum(people in text for text in texts) == 4
    assert not any("Which one is better" in text for text in texts)


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [("401", "refuses the key (401)"), ("quota", "no credit left"), ("unknown_model", "does not know the model")],
)
def test_a_permanent_failure_stops_at_once(project: Path, provider: str, fault: str, sentence: str) -> None:
    with serve(lambda number, seen: fault if number >= 5 else None) as server:
        server.answers[PATHS[provider]] = prefers_dark(provider)
        code, output = run(project, server)
        assert code == 1 and sentence in last_line(output) and "Traceback" not in output
        assert len(server.seen) <= 5 + 4
        assert len(list((project / "paid" / "answers").rglob("*.json"))) == 5
    no_key_anywhere(project)


def test_no_money_without_permission_budget_and_a_current_model(project: Path, provider: str) -> None:
    with serve() as server:
        for environment, judge, sentence in (
            ({"ANOMEND_ALLOW_SPEND": ""}, {}, "set ANOMEND_ALLOW_SPEND=1"),
            ({"OPENAI_API_KEY": "", "ANTHROPIC_API_KEY": ""}, {}, "_API_KEY is not set"),
            ({}, {"max_usd": 0.01}, "judge.max_usd allows $0.01"),
            (
                {},
                {"models": dict.fromkeys(PATHS, "claude-3-5-sonnet-20241022")},
                "was retired on 2025-10-28: use claude",
            ),
            ({}, {"models": dict.fromkeys(PATHS, "no-such-model")}, "has no price for 'no-such-model'"),
        ):
            change(project, provider, **judge)
            code, output = run(project, server, **environment)
            assert code == 1 and sentence in last_line(output), output
        assert server.seen == []


def test_parts_are_asked_about_in_crops(project: Path, provider: str) -> None:
    for model in ("base", "tuned"):
        for number, path in enumerate(sorted((project / "data" / "samples" / model).glob("*.png"))):
            rng = python_random("parts", model, number)
            Image.fromarray(render(sample_scene(rng, "lying", "grass"), rng)).save(path)
    change(project, provider, parts="drawn_people", repeats=1)
    with serve() as server:
        server.answers[PATHS[provider]] = prefers_dark(provider)
        code, output = run(project, server)
        assert code == 0, output
        # 6 pairs in 2 orders: the whole people, and head, arms and legs.
        assert len(server.seen) == 6 * 2 * 4
        texts = [json.dumps(seen.fields) for seen in server.seen]
        for part in ("head", "arms", "legs"):
            assert sum(f"Look at the {part} alone" in text for text in texts) == 12
    judged = metrics(project, provider)
    assert judged["pairs"] == 6 and {part: values["pairs"] for part, values in judged["parts"].items()} == {
        "arms": 6,
        "head": 6,
        "legs": 6,
    }
