"""The vendors' batch APIs over real HTTP: half the price, and a batch that was submitted is not paid twice."""

from __future__ import annotations

import itertools
import json
import re
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from anomend.judging.provider import ProviderBatches
from anomend.purchasing.batch_limits import BATCH_LIMITS, BatchLimits
from anomend.purchasing.requests import PaidRequest
from tests.judging.test_llm_judges import PATHS, VERDICT, answer, change, metrics, prefers_dark, run, special
from tests.judging.test_llm_judges import project as project
from tests.judging.test_llm_judges import provider as provider
from tests.purchasing.api_server import ApiServer, Seen, serve
from tests.purchasing.stage_run import finish, last_line, no_key_anywhere, start

pytestmark = pytest.mark.slow


class Batches:
    """Both vendors' batch endpoints; a batch has ended after some checks of it."""

    def __init__(self, server: ApiServer, provider: str, checks: int = 2) -> None:
        self.server, self.provider, self.checks = server, provider, checks
        self.files: dict[str, str] = {}
        self.batches: list[list[dict[str, Any]]] = []
        self.fail: set[int] = set()
        self.odd: dict[int, str] = {}
        """Numbers of entries that fail, or whose answer is not a verdict."""
        self.errors: dict[int, dict[str, Any]] = {}
        """Numbers of entries that the vendor rejects with an error of 400."""
        self.left_out: set[int] = set()
        """Numbers of entries that no result mentions."""
        self.failed: list[dict[str, Any]] | None = None
        """Why the whole batch failed; OpenAI only."""
        if provider == "anthropic":
            server.answers = {"/v1/messages/batches": self.anthropic}
        else:
            server.answers = {"/v1/files": self.openai_files, "/v1/batches": self.openai}

    def reply(self, number: int, fields: dict[str, Any]) -> dict[str, Any]:
        if number in self.odd:
            return special(self.provider, self.odd[number])
        return prefers_dark(self.provider)(Seen("", "", fields, None, ""))

    def ended(self) -> bool:
        self.checks -= 1
        return self.checks < 0

    def entries(self, seen: Seen) -> list[tuple[int, dict[str, Any]]]:
        """The entries of the batch that a path names by its number, with their numbers in it."""
        batch = self.batches[int(re.findall(r"_(\d+)", seen.path)[0]) - 1]
        return [(number, entry) for number, entry in enumerate(batch) if number not in self.left_out]

    def anthropic(self, seen: Seen) -> dict[str, Any] | str:
        if seen.path.endswith("/results"):
            lines = []
            for number, entry in self.entries(seen):
                result: dict[str, Any] = {"type": "succeeded", "message": self.reply(number, entry["params"])}
                if number in self.errors:
                    result = {"type": "errored", "error": {"type": "error", "error": self.errors[number]}}
                lines.append(
                    {"custom_id": entry["custom_id"], "result": {"type": "expired"} if number in self.fail else result}
                )
            return "\n".join(json.dumps(line) for line in lines)
        if seen.fields:
            self.batches.append(seen.fields["requests"])
        name = f"msgbatch_{len(self.batches)}" if seen.fields else seen.path.split("/")[-1]
        counts = dict.fromkeys(("canceled", "errored", "expired", "processing", "succeeded"), 0)
        base = {"id": name, "type": "message_batch", "created_at": "2026-11-24T00:00:00Z"}
        base |= {"expires_at": "2026-11-25T00:00:00Z", "request_counts": counts}
        if seen.fields or not self.ended():
            return base | {"processing_status": "in_progress", "results_url": None}
        return base | {
            "processing_status": "ended",
            "results_url": f"{self.server.url}/v1/messages/batches/{name}/results",
        }

    def openai_files(self, seen: Seen) -> dict[str, Any] | str:
        if seen.path.endswith("/content"):
            lines = []
            for number, entry in self.entries(seen):
                response = {"status_code": 200, "request_id": "r", "body": self.reply(number, entry["body"])}
                if number in self.errors:
                    response = {"status_code": 400, "request_id": "r", "body": {"error": self.errors[number]}}
                failure = {"custom_id": entry["custom_id"], "response": None, "error": {"message": "expired"}}
                whole = {"custom_id": entry["custom_id"], "response": response, "error": None}
                lines.append(failure if number in self.fail else whole)
            return "\n".join(json.dumps(line) for line in lines)
        name = f"file-{len(self.files) + 1}"
        self.files[name] = seen.fields["file"]
        return {
            "id": name,
            "object": "file",
            "bytes": 1,
            "created_at": 1,
            "filename": "x",
            "purpose": "batch",
            "status": "processed",
        }

    def openai(self, seen: Seen) -> dict[str, Any]:
        if seen.fields:
            lines = self.files[seen.fields["input_file_id"]].splitlines()
            self.batches.append([json.loads(line) for line in lines])
        name = f"batch_{len(self.batches)}" if seen.fields else seen.path.split("/")[-1]
        base = {"id": name, "object": "batch", "endpoint": "/v1/responses", "input_file_id": "file-1"}
        base |= {"completion_window": "24h", "created_at": 1}
        if seen.fields or not self.ended():
            return base | {"status": "in_progress"}
        if self.failed is not None:
            return base | {"status": "failed", "errors": {"object": "list", "data": self.failed}}
        return base | {"status": "completed", "output_file_id": f"out-{name}"}


def test_a_batch_costs_half_and_is_collected_once(project: Path, provider: str) -> None:
    change(project, provider, batch=True, poll_s=0.05)
    with serve() as server:
        batches = Batches(server, provider)
        batches.odd = {3: "refusal", 5: "cut"}
        code, output = run(project, server)
        assert code == 0, output
        # The answer that was cut off is asked again, in a batch of its own; the refusal is not.
        assert [len(batch) for batch in batches.batches] == [24, 1]
        requests = len(server.seen)
        assert run(project, server)[0] == 0 and len(server.seen) == requests
    judged = metrics(project, provider)
    assert judged["requests_from_store"] == 25 and judged["asked_again"] == judged["requests_refused"] == 1
    assert (judged["unparsed"], judged["refused"], judged["cut_off"]) == (1, 1, 0)
    assert judged["spend_usd"] == pytest.approx(25 * (0.006 if provider == "anthropic" else 0.003) / 2)
    assert not list((project / "paid" / "batches").iterdir())
    no_key_anywhere(project)


def test_killed_while_it_waits_it_collects_the_same_batch(project: Path, provider: str) -> None:
    change(project, provider, batch=True, poll_s=0.05)
    with serve() as server:
        batches = Batches(server, provider, checks=10**9)
        process = start("judge", project, server)
        while not batches.batches or not list((project / "paid").glob("batches/*.json")):
            assert process.poll() is None
            time.sleep(0.01)
        time.sleep(0.2)
        process.send_signal(signal.SIGKILL)
        finish(process)
        batches.checks = 1
        code, output = run(project, server)
        assert code == 0, output
        assert len(batches.batches) == 1
    assert metrics(project, provider)["pairs"] == 6


def test_killed_between_two_batches_nothing_is_paid_twice(
    project: Path, provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(project, provider, batch=True, poll_s=0.05)
    limits = BatchLimits(requests=10, bytes=10**9, source="a test")
    monkeypatch.setitem(BATCH_LIMITS, provider, limits)
    submit, submitted = ProviderBatches.submit, itertools.count()

    def killed(self: ProviderBatches, requests: Sequence[PaidRequest]) -> str:
        if next(submitted) == 1:
            raise KeyboardInterrupt
        return submit(self, requests)

    monkeypatch.setattr(ProviderBatches, "submit", killed)
    with serve() as server:
        batches = Batches(server, provider, checks=0)
        with pytest.raises(KeyboardInterrupt):
            run(project, server)
        assert [len(batch) for batch in batches.batches] == [10]
        code, output = run(project, server)
        assert code == 0, output
        assert [len(batch) for batch in batches.batches] == [10, 10, 4]
    sent = [entry["custom_id"] for batch in batches.batches for entry in batch]
    assert len(set(sent)) == len(sent) == 24
    assert metrics(project, provider)["pairs"] == 6


def test_the_limits_of_a_batch_are_the_documented_ones() -> None:
    assert (BATCH_LIMITS["openai"].requests, BATCH_LIMITS["openai"].bytes) == (50_000, 200 * 10**6)
    assert (BATCH_LIMITS["anthropic"].requests, BATCH_LIMITS["anthropic"].bytes) == (100_000, 256 * 10**6)


def test_requests_that_expired_are_asked_again_and_the_rest_is_kept(project: Path, provider: str) -> None:
    change(project, provider, batch=True, poll_s=0.05)
    with serve() as server:
        batches = Batches(server, provider, checks=0)
        batches.fail = {0, 7}
        code, output = run(project, server)
        assert code == 1 and "2 of 24 requests ended without an answer (expired): run again" in last_line(output)
        batches.fail = set()
        assert run(project, server)[0] == 0
        assert [len(batch) for batch in batches.batches] == [24, 2]


def test_a_batch_must_fit_the_budget_as_a_whole(project: Path, provider: str) -> None:
    change(project, provider, batch=True, poll_s=0.05, max_usd=0.05)
    with serve() as server:
        Batches(server, provider)
        code, output = run(project, server)
        assert code == 1 and "judge.max_usd allows $0.05" in last_line(output) and server.seen == []


def test_single_answers_and_batches_share_the_store(project: Path, provider: str) -> None:
    with serve() as server:
        server.answers = {PATHS[provider]: lambda seen: answer(provider, json.dumps(VERDICT))}
        assert run(project, server)[0] == 0
    change(project, provider, batch=True, poll_s=0.05)
    with serve() as server:
        assert run(project, server)[0] == 0
        assert server.seen == []
