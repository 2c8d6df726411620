"""Failures of both vendors' clients."""

from __future__ import annotations

import email.utils
import time
from types import SimpleNamespace

import httpx
import openai
import pytest

from anomend.purchasing.failures import FatalRequestError, RefusedRequest, TransientRequestError, classify


def status_error(status: int, body: object = None, **headers: str) -> openai.APIStatusError:
    response = SimpleNamespace(
        status_code=status, headers=httpx.Headers(headers), request=None, json=dict, text="", is_closed=True
    )
    error = openai.APIStatusError.__new__(openai.APIStatusError)
    error.status_code, error.body, error.response = status, body, response  # type: ignore[assignment]
    return error


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, {}, FatalRequestError),
        (403, {}, FatalRequestError),
        (404, {"error": {"message": "no model x"}}, FatalRequestError),
        (400, {"error": {"message": "Your credit balance is too low to use the API"}}, FatalRequestError),
        (400, {"code": "moderation_blocked", "message": "no"}, RefusedRequest),
        (400, {"message": "size"}, FatalRequestError),
        (429, {"code": "insufficient_quota"}, FatalRequestError),
        (429, {"code": "rate_limit_exceeded"}, TransientRequestError),
        (408, {}, TransientRequestError),
        (500, None, TransientRequestError),
        (529, {"error": {"type": "overloaded_error"}}, TransientRequestError),
    ],
)
def test_failures_are_distinguished(status: int, body: object, kind: type[Exception]) -> None:
    assert type(classify(status_error(status, body), "OpenAI", "OPENAI_API_KEY")) is kind


def test_retry_after_is_read_as_seconds_milliseconds_or_a_date() -> None:
    def wait(**headers: str) -> float | None:
        error = classify(status_error(429, {}, **headers), "OpenAI", "KEY")
        assert isinstance(error, TransientRequestError)
        return error.retry_after

    assert wait(**{"retry-after": "7"}) == 7 and wait(**{"retry-after-ms": "250"}) == 0.25 and wait() is None
    assert wait(**{"retry-after": "100000"}) == 300 and wait(**{"retry-after": "soon"}) is None
    late = wait(**{"retry-after": email.utils.formatdate(time.time() + 20, usegmt=True)})
    assert late is not None and 17 < late <= 20


def test_no_part_of_a_key_gets_into_a_sentence() -> None:
    error = classify(status_error(400, {"message": "bad key sk-proj-abc123def456 given"}), "OpenAI", "KEY")
    assert "abc123" not in str(error) and "[key]" in str(error)
