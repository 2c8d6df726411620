"""Errors of both vendors in every combination of status, type, code, message and form, by the vendors' own clients.

What is expected is written here by hand from the vendors' documentation, not taken from the table under test.
"""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Iterator
from typing import Any

import anthropic
import httpx
import httpx2
import openai

from anomend.purchasing.failures import FatalRequestError, RefusedRequest, TransientRequestError, classify
from tests.faults.table import Row, record

DRAWN = 250
"""Errors with odd parts, of each vendor."""
SECRET = "-".join(["sk", "proj", "4Zt9abcdef0123456789"])
STATUSES = (400, 401, 402, 403, 404, 408, 409, 413, 422, 425, 429, 500, 502, 503, 504, 529)
MESSAGES = (
    "",
    "Something\nis wrong.",
    f"The key {SECRET} of org-a1b2c3d4e5 is odd.",
    "é 人 <b>%s</b> {0}",
    "x" * 5000,
)
OPENAI = {
    "insufficient_quota": FatalRequestError,
    "billing_hard_limit_reached": FatalRequestError,
    "rate_limit_exceeded": TransientRequestError,
    "server_error": TransientRequestError,
    "moderation_blocked": RefusedRequest,
    "content_policy_violation": RefusedRequest,
    "invalid_prompt": RefusedRequest,
    "image_content_policy_violation": RefusedRequest,
    "invalid_image_file": TransientRequestError,
    "image_parse_error": TransientRequestError,
    "unknown_parameter": FatalRequestError,
    "string_above_max_length": FatalRequestError,
}
"""What a code means with status 400."""
OPENAI_TYPES = (None, "invalid_request_error", "image_generation_user_error")
ANTHROPIC = {
    ("invalid_request_error", "messages: at least one message is required"): FatalRequestError,
    ("invalid_request_error", "Output blocked by content filtering policy"): RefusedRequest,
    ("invalid_request_error", "Your credit balance is too low to access the Anthropic API."): FatalRequestError,
    ("rate_limit_error", "This request would exceed your rate limit."): TransientRequestError,
    ("api_error", "Internal server error"): TransientRequestError,
    ("overloaded_error", "Overloaded"): TransientRequestError,
    ("request_too_large", "Request exceeds the maximum size"): FatalRequestError,
}
CREDIT = ("insufficient_quota", "billing_hard_limit_reached", "Your credit balance is too low")


def by_status(status: int, at_400: type[Exception], paid_up: bool) -> type[Exception]:
    """What is expected where a status says more than the code."""
    if not paid_up or status in (401, 402, 403, 404):
        return FatalRequestError
    return TransientRequestError if status in (408, 409, 425, 429) or status >= 500 else at_400


def openai_cases(draw: random.Random) -> Iterator[tuple[int, Any, type[Exception] | None]]:
    for status, (code, meaning), kind in itertools.product(STATUSES, OPENAI.items(), OPENAI_TYPES):
        text, at_400 = draw.choice(MESSAGES), meaning
        if kind == "image_generation_user_error" and code in ("unknown_parameter", "string_above_max_length"):
            at_400 = TransientRequestError  # Never stored as moderation: the code is none of moderation.
        yield (
            status,
            {"error": {"message": text, "type": kind, "code": code, "param": None}},
            by_status(status, at_400, paid_up=code not in CREDIT),
        )


def anthropic_cases() -> Iterator[tuple[int, Any, type[Exception] | None]]:
    for status, ((kind, text), meaning) in itertools.product(STATUSES, ANTHROPIC.items()):
        expected = by_status(status, meaning, paid_up=status != 400 or not text.startswith(CREDIT))
        yield status, {"type": "error", "error": {"type": kind, "message": text}, "request_id": "req_1"}, expected


def odd_cases(draw: random.Random) -> Iterator[tuple[int, Any, type[Exception] | None]]:
    """Bodies that no vendor documents: only that they end in one of the three is expected, with no secret in it."""
    parts = [None, "", 7, True, [], {}, "a\nb", SECRET, "人", *OPENAI, *MESSAGES]
    for _ in range(DRAWN):
        error = {name: draw.choice(parts) for name in ("message", "type", "code", "param") if draw.random() < 0.8}
        body = draw.choice([error, {"error": error}, {"error": draw.choice(parts)}, [error], draw.choice(parts), None])
        yield draw.choice(STATUSES), draw.choice([body, b"<html>Bad Gateway</html>", b"", b"\xff\xfe"]), None


def raised(client: openai.OpenAI | anthropic.Anthropic) -> Exception:
    """What a client raises."""
    try:
        if isinstance(client, openai.OpenAI):
            client.responses.create(model="m", input="x")
        else:
            client.messages.create(model="m", max_tokens=1, messages=[{"role": "user", "content": "x"}])
    except Exception as error:
        return error
    raise AssertionError("the client raised nothing")


def test_every_error_of_a_vendor_ends_as_refused_tried_again_or_fatal_in_one_sentence() -> None:
    now: list[tuple[int, bytes]] = []

    def settings(http: Any) -> dict[str, Any]:
        """Of a client whose vendor answers what `now` says; each client comes with its own version of httpx."""
        answer = {"headers": {"content-type": "application/json"}}
        transport = http.MockTransport(lambda _: http.Response(now[0][0], content=now[0][1], **answer))
        return {"api_key": "a-key", "max_retries": 0, "http_client": http.Client(transport=transport)}

    draw, tried, wrong = random.Random(20261128), 0, []
    for client, name, cases in (
        (openai.OpenAI(**settings(httpx)), "OpenAI", openai_cases(draw)),
        (anthropic.Anthropic(**settings(httpx2)), "Anthropic", anthropic_cases()),
    ):
        for status, body, expected in itertools.chain(cases, odd_cases(draw)):
            now[:] = [(status, body if isinstance(body, bytes) else json.dumps(body).encode())]
            error, tried = classify(raised(client), name, "A_KEY"), tried + 1
            allowed = (expected,) if expected else (FatalRequestError, TransientRequestError, RefusedRequest)
            text = str(error)
            clean = text and "\n" not in text and "4Zt9" not in text and "a1b2c3d4e5" not in text and len(text) < 600
            if not isinstance(error, allowed) or not clean:
                wrong.append((status, body, text))
    message = "recorded as refused, tried again, or stopped, in one sentence without a key"
    record(Row("collect, judge", "errors of both vendors, seeded", tried, len(wrong), message))
    assert tried > 1000 and not wrong, wrong[:3]
