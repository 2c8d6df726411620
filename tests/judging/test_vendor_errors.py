"""What users of the judges meet when a vendor rejects, refuses or loses a request, over real HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from anomend.judging.anthropic_judge import AnthropicApi
from anomend.judging.llm_judge import LlmJudge
from anomend.judging.llm_requests import LlmQuestion
from anomend.judging.openai_judge import OpenAIApi
from anomend.judging.protocol import BlindPair
from anomend.judging.provider import Provider
from anomend.judging.settings import LlmSettings
from anomend.judging.verdicts import PairVerdict
from anomend.purchasing.batch import split
from anomend.purchasing.batch_limits import BatchLimits
from anomend.purchasing.failures import FatalRequestError
from anomend.purchasing.purchase import Patience
from tests.judging.test_batches import Batches
from tests.judging.test_llm_judges import PATHS, answer, openai_answer
from tests.purchasing.api_server import Answer, ApiServer, Seen, serve
from tests.purchasing.settings import settings_for

PROVIDERS: dict[str, type[Provider]] = {"anthropic": AnthropicApi, "openai": OpenAIApi}
MODELS = {"anthropic": "claude-opus-5-5", "openai": "gpt-6.2-sol"}
REFUSED = {
    "anthropic": {"type": "invalid_request_error", "message": "Output blocked by content filtering policy"},
    "openai": {"code": "invalid_prompt", "type": "invalid_request_error", "message": "Your prompt was flagged."},
}
TIE = json.dumps(dict.fromkeys(PairVerdict.model_fields, None) | {"overall": "tie", "reason": "alike"})


@pytest.fixture(params=["anthropic", "openai"])
def vendor(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiServer]:
    with serve() as running:
        monkeypatch.setenv("OPENAI_BASE_URL", f"{running.url}/v1")
        monkeypatch.setenv("ANTHROPIC_BASE_URL", running.url)
        for name, path in PATHS.items():
            running.answers[path] = lambda _, name=name: answer(name, TIE)  # type: ignore[misc]
        yield running


def judge(vendor: str, folder: Path, **changes: Any) -> LlmJudge:
    purchase = settings_for(MODELS[vendor], folder, concurrency=1, patience=Patience(attempts=3, first_wait=0.0))
    values: dict[str, Any] = {"question": "Which?", "image_size": 16, "max_tokens": 100, "poll_s": 0.01} | changes
    return LlmJudge(PROVIDERS[vendor](), LlmSettings(purchase=purchase, **values))


def buy(asked: LlmJudge, count: int) -> None:
    asked.client.buy(questions(asked, count))


def questions(asked: LlmJudge, count: int) -> list[LlmQuestion]:
    return [asked.question(pair) for pair in pairs(count)]


def pairs(count: int) -> list[BlindPair]:
    draw = np.random.default_rng(0)
    image_a, image_b = (draw.integers(0, 256, (16, 16, 3), dtype=np.uint8) for _ in range(2))
    return [
        BlindPair(prompt="p", image_a=image_a, image_b=image_b, name_a="a", name_b="b", repeat=repeat)
        for repeat in range(count)
    ]


def test_one_request_that_the_vendor_refuses_is_recorded_and_the_others_go_on(
    vendor: str, server: ApiServer, tmp_path: Path
) -> None:
    fault = "content_filtering" if vendor == "anthropic" else "invalid_prompt"
    server.fault_of = lambda number, _: fault if number == 1 else None
    asked = judge(vendor, tmp_path)
    buy(asked, 4)
    replies = [asked.judge(pair).problem or "" for pair in pairs(4)]
    assert [reply.startswith("refused: ") for reply in replies] == [False, True, False, False]
    buy(judge(vendor, tmp_path), 4)
    assert len(server.seen) == 4


def test_a_response_that_says_itself_that_it_failed_is_no_answer(server: ApiServer, tmp_path: Path) -> None:
    def failed(code: str) -> dict[str, Any]:
        return openai_answer("") | {"status": "failed", "output": [], "error": {"code": code, "message": "Sorry."}}

    codes = ["server_error", None, "invalid_prompt", None]
    server.answers[PATHS["openai"]] = lambda _: (
        failed(code) if (code := codes[len(server.seen) - 1]) else openai_answer(TIE)
    )
    asked = judge("openai", tmp_path)
    buy(asked, 3)
    replies = [asked.judge(pair) for pair in pairs(3)]
    assert [reply.problem or reply.raw for reply in replies] == [TIE, "refused: Sorry.", TIE]
    assert asked.settings.purchase.counts.retries == 1


def test_an_answer_that_the_content_filter_stopped_is_a_refusal(server: ApiServer, tmp_path: Path) -> None:
    stopped = openai_answer(TIE[:20]) | {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}
    server.answers[PATHS["openai"]] = lambda _: stopped
    asked = judge("openai", tmp_path)
    buy(asked, 2)
    assert [asked.judge(pair).problem for pair in pairs(2)] == ["refused: stopped by the content filter"] * 2
    assert len(server.seen) == 2


def test_a_picture_that_the_vendor_cannot_read_is_tried_again_reported_and_never_stored(
    server: ApiServer, tmp_path: Path
) -> None:
    asked, broken = judge("openai", tmp_path), {1, 2, 3}
    server.fault_of = lambda number, _: "invalid_image_file" if number in broken else None
    with pytest.raises(FatalRequestError, match=r"invalid_image_file.*: The image is not readable\.\), 3 times in a"):
        buy(asked, 3)
    assert len(server.seen) == 5  # One answered, one sent three times, and the third went on.
    assert len(list((tmp_path / "answers").rglob("*.json"))) == 2
    buy(judge("openai", tmp_path), 3)
    assert len(server.seen) == 6


def test_an_organisation_that_must_be_verified_is_told_so_without_its_name_or_key(
    vendor: str, server: ApiServer, tmp_path: Path
) -> None:
    server.fault_of = lambda *_: "unverified"
    with pytest.raises(FatalRequestError, match=r"forbids the request .* must be verified to use the model") as told:
        buy(judge(vendor, tmp_path), 2)
    assert "a1b2c3d4" not in str(told.value) and "sk-proj" not in str(told.value)
    assert len(server.seen) == 1


def test_a_refusal_in_a_batch_is_recorded_and_not_sent_again(vendor: str, server: ApiServer, tmp_path: Path) -> None:
    batches = Batches(server, vendor, checks=0)
    batches.errors = {1: REFUSED[vendor]}
    asked = judge(vendor, tmp_path, batch=True)
    buy(asked, 3)
    refused = [asked.judge(pair).problem for pair in pairs(3)]
    assert list(filter(None, refused)) == [f"refused: {REFUSED[vendor]['message']}"]


def test_requests_beyond_a_batchs_limits_go_in_several_batches(vendor: str, server: ApiServer, tmp_path: Path) -> None:
    batches = Batches(server, vendor, checks=0)
    asked = judge(vendor, tmp_path, batch=True)
    api, requests = asked.client.batches, [asked.client.request(question) for question in questions(asked, 10)]
    size = api.size(requests[0])
    api.limits = BatchLimits(50, 3 * size, "a test")
    buy(asked, 8)
    assert [len(batch) for batch in batches.batches] == [3, 3, 2]
    sent = {entry["custom_id"] for batch in batches.batches for entry in batch}
    assert sent == {request.key for request in requests[:8]}
    if vendor == "openai":
        assert all(len(file) <= api.limits.bytes for file in batches.files.values())
        assert len(batches.files["file-1"]) == pytest.approx(3 * size, rel=0.001)
    batches.batches.clear()
    api.limits = BatchLimits(1, 3 * size, "a test")
    buy(asked, 10)
    assert [len(batch) for batch in batches.batches] == [1, 1]


def test_192_requests_of_768_pixels_stay_below_the_vendors_limits(vendor: str, tmp_path: Path) -> None:
    asked = judge(vendor, tmp_path, batch=True, image_size=768)
    draw = np.random.default_rng(1)
    noise = [draw.integers(0, 256, (768, 768, 3), dtype=np.uint8) for _ in range(2)]
    pair = BlindPair(prompt="p", image_a=noise[0], image_b=noise[1], name_a="a", name_b="b", repeat=0)
    api, request = asked.client.batches, asked.client.request(asked.question(pair))
    size = api.size(request)
    assert 2 * 768 * 768 * 3 * 4 / 3 < size < 2 * 768 * 768 * 3 * 4 / 3 * 1.01
    parts = split([request] * 192, api)
    assert sum(map(len, parts)) == 192 and all(len(part) * size <= api.limits.bytes for part in parts)
    assert len(parts) == -(-192 // (api.limits.bytes // size)) > 1


def test_a_batch_that_failed_as_a_whole_tells_the_vendors_reason(server: ApiServer, tmp_path: Path) -> None:
    batches = Batches(server, "openai", checks=0)
    batches.failed = [{"code": "token_limit_exceeded", "message": "Enqueued token limit reached.", "line": None}]
    with pytest.raises(FatalRequestError, match=r"2 of 2 .*batch failed: token_limit_exceeded: Enqueued token"):
        buy(judge("openai", tmp_path, batch=True), 2)
    batches.failed = None
    buy(judge("openai", tmp_path, batch=True), 2)
    assert [len(batch) for batch in batches.batches] == [2, 2]


def test_requests_missing_in_a_finished_batch_are_counted_and_not_sent_for_ever(
    vendor: str, server: ApiServer, tmp_path: Path
) -> None:
    batches = Batches(server, vendor, checks=0)
    batches.left_out = {0}
    told = r"1 of 3 requests ended without an answer \(the finished batch has no result for it\): run again"
    for _ in range(3):
        with pytest.raises(FatalRequestError, match=told):
            buy(judge(vendor, tmp_path, batch=True), 3)
    with pytest.raises(FatalRequestError, match=r"1 requests .* in 3 batches: set batch=false to send what is missing"):
        buy(judge(vendor, tmp_path, batch=True), 3)
    assert [len(batch) for batch in batches.batches] == [3, 1, 1]
    server.answers[PATHS[vendor]] = lambda _: answer(vendor, TIE)
    buy(judge(vendor, tmp_path), 3)


def submitted(vendor: str, folder: Path, count: int) -> None:
    """A run that was killed after it had submitted a batch."""

    def killed(_: str) -> bool:
        raise KeyboardInterrupt

    asked = judge(vendor, folder, batch=True)
    asked.client.batches.ended = killed  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        buy(asked, count)


def test_fewer_pairs_after_a_kill_collect_the_batch_that_has_them(
    vendor: str, server: ApiServer, tmp_path: Path
) -> None:
    batches = Batches(server, vendor, checks=0)
    submitted(vendor, tmp_path, 5)
    buy(judge(vendor, tmp_path, batch=True), 3)
    buy(judge(vendor, tmp_path, batch=True), 6)
    assert [len(batch) for batch in batches.batches] == [5, 1]
    assert not list((tmp_path / "batches").iterdir())


def test_requests_of_a_batch_that_is_not_collected_are_not_sent_one_by_one(
    vendor: str, server: ApiServer, tmp_path: Path
) -> None:
    Batches(server, vendor, checks=0)
    submitted(vendor, tmp_path, 2)
    sent = len(server.seen)
    with pytest.raises(
        FatalRequestError, match=r"paid twice: set batch=true to collect it, or delete .*batches/.*json"
    ):
        buy(judge(vendor, tmp_path), 2)
    assert len(server.seen) == sent


def test_a_batch_that_the_vendor_no_longer_has_is_named_with_the_file_that_waits_for_it(
    vendor: str, server: ApiServer, tmp_path: Path
) -> None:
    batches = Batches(server, vendor, checks=0)
    submitted(vendor, tmp_path, 2)
    server.fault_of = lambda _, seen: None if seen.fields else "unknown_model"
    (note,) = (tmp_path / "batches").iterdir()
    with pytest.raises(
        FatalRequestError, match=r"does not have the batch \w+ .*: set that account's key, or dele"
    ) as told:
        buy(judge(vendor, tmp_path, batch=True), 2)
    assert str(note) in str(told.value) and note.exists()
    note.unlink()
    server.fault_of = lambda *_: None
    buy(judge(vendor, tmp_path, batch=True), 2)
    assert [len(batch) for batch in batches.batches] == [2, 2]


def test_an_answer_in_a_batch_may_hold_any_character_that_ends_a_line(
    vendor: str, server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches = Batches(server, vendor, checks=0)
    told = json.dumps(json.loads(TIE) | {"reason": "one\u2028two\x85three"}, ensure_ascii=False)
    monkeypatch.setattr(batches, "reply", lambda *_: answer(vendor, told))

    def unescaped(made: Answer) -> Answer:
        def lines(seen: Seen) -> dict[str, Any] | str:
            content = made(seen)
            if isinstance(content, dict):
                return content
            return "\n".join(json.dumps(json.loads(line), ensure_ascii=False) for line in content.split("\n"))

        return lines

    server.answers = {path: unescaped(made) for path, made in server.answers.items()}
    asked = judge(vendor, tmp_path, batch=True)
    buy(asked, 2)
    assert [asked.judge(pair).raw for pair in pairs(2)] == [told, told]
