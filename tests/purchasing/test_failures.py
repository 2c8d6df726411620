"""Failures of both vendors' clients."""

from __future__ import annotations

import email.utils
import time
from types import SimpleNamespace

import httpx
import openai
import pytest

from anomend.purchasing.failures import (
    FatalRequestError,
    RefusedRequest,
    TransientRequestError,
    UnknownRequestError,
    classify,
    error_of,
)


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
        (404, {"error": {"message": "no model x"}}, UnknownRequestError),
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


INVALID = "invalid_request_error"


@pytest.mark.parametrize(
    "error",
    [
        {"code": None, "type": INVALID, "message": "Your request was rejected as a result of our safety system."},
        {"code": "contentFilter", "message": "Your task failed as a result of our safety system."},
        {"type": "image_generation_user_error", "message": "Your request was rejected by the safety system."},
        {"type": INVALID, "message": "Invalid prompt: flagged as potentially violating our usage policy."},
        {"type": INVALID, "message": "Input blocked by content filtering policy"},
    ],
)
@pytest.mark.parametrize("status", [400, None])
def test_a_refusal_that_only_the_message_tells_stops_no_other_request(error: object, status: int | None) -> None:
    assert type(error_of(status, {"error": error}, provider="A vendor", key_variable="KEY")) is RefusedRequest


@pytest.mark.parametrize(
    "message",
    [
        "Could not process image",
        "messages.0: The image was specified using image/png, but the image appears to be a image/jpeg image",
        "messages.0: image exceeds 5 MB maximum: 5316852 bytes > 5242880 bytes",
        "You uploaded an unsupported image. Please make sure your image is valid.",
    ],
)
def test_one_picture_that_the_vendor_cannot_read_stops_no_other_request(message: str) -> None:
    error = error_of(400, {"error": {"type": INVALID, "message": message}}, provider="A vendor", key_variable="KEY")
    assert isinstance(error, TransientRequestError) and error.alone


@pytest.mark.parametrize("status", [400, 403, 404])
def test_an_organisation_that_must_be_verified_is_told_so_whatever_the_status(status: int) -> None:
    message = "Your organization must be verified to use the model `m`."
    body = {"error": {"code": "model_not_found", "message": message}}
    error = error_of(status, body, provider="A vendor", key_variable="KEY")
    assert message in str(error) and "settle that in your account" in str(error)


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


def test_no_account_gets_into_a_sentence() -> None:
    message = "wrkspc_01AbCdEf of org-a1b2c3d4 (user-x9y8z7w6, jane.doe@example.org) may not"
    error = classify(status_error(403, {"message": message}), "A vendor", "KEY")
    assert "[account] of [account] ([account], [account]) may not" in str(error)
