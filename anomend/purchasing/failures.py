"""What can go wrong with a paid request: it may be tried again, it may not, or the provider refuses to answer.

The official clients of OpenAI and Anthropic come from one generator and raise exceptions of the same names. They are
classified here by name and content, so that neither client has to be imported.
"""

from __future__ import annotations

import email.utils
import re
import time
from collections.abc import Mapping
from typing import Any

BILLING = ("insufficient_quota", "billing_hard_limit_reached", "billing_not_active", "billing_error")
MODERATION = ("moderation_blocked", "content_policy_violation", "content_filter", "image_generation_user_error")
MAX_RETRY_AFTER = 300.0
"""Seconds; a longer wait that a server asks for is cut to this."""


class FatalRequestError(ValueError):
    """The run must stop: the same would happen to every further request. The message names the fix."""


class TransientRequestError(Exception):
    """It may succeed next time."""

    def __init__(self, reason: str, retry_after: float | None = None, maybe_paid: bool = False) -> None:
        super().__init__(reason)
        self.retry_after = retry_after
        """Seconds the server asked to wait."""
        self.maybe_paid = maybe_paid
        """The provider may have charged for it: the answer never arrived, or cannot be used."""


class RefusedRequest(Exception):
    """The provider will not answer this request; others may succeed."""


def classify(error: Exception, provider: str, key_variable: str) -> Exception:
    """Turn a client's exception into one of the three above; any other exception is returned unchanged.

    Args:
        error: what the client raised.
        provider: the provider's name, for the message.
        key_variable: environment variable of its key, for the message.
    """
    status = getattr(error, "status_code", None)
    body = getattr(error, "body", None)
    if isinstance(status, int) and status >= 400:
        return _by_status(error, status=status, body=body, provider=provider, key_variable=key_variable)
    names = {cls.__name__ for cls in type(error).__mro__}
    if names & {"APIConnectionError", "APITimeoutError", "APIResponseValidationError", "JSONDecodeError"}:
        cut = "the connection failed or the answer was cut off"
        reason = "no answer in time" if "APITimeoutError" in names else cut
        return TransientRequestError(reason, maybe_paid=True)
    # The clients do not wrap what httpx raises while a body is read.
    if names & {"TransportError", "DecodingError", "StreamError", "InvalidURL"}:
        return TransientRequestError("the connection failed or the answer was cut off", maybe_paid=True)
    return error


def _by_status(error: Exception, *, status: int, body: object, provider: str, key_variable: str) -> Exception:
    codes, message = _codes(body), _message(body)
    if status in (401, 403):
        # The provider's own message repeats part of the key.
        return FatalRequestError(
            f"{provider} refuses the key ({status}): set {key_variable} to a key that is valid and may use the model"
        )
    if set(codes) & set(BILLING) or "credit balance is too low" in message.lower() or status == 402:
        return FatalRequestError(f"{provider} says that the account has no credit left: top it up, then run again")
    if status == 404 or "model_not_found" in codes:
        return FatalRequestError(
            f"{provider} does not know the model or the address ({message or status}): name one that it has today"
        )
    if set(codes) & set(MODERATION):
        return RefusedRequest(message or "refused by moderation")
    if status in (408, 409, 425, 429) or status >= 500:
        reason = f"{provider} answered {status} ({type(error).__name__})"
        return TransientRequestError(reason, _retry_after(_headers(error)))
    return FatalRequestError(f"{provider} rejects the request ({status}: {message or 'no reason given'})")


def _codes(body: object) -> list[str]:
    error = body.get("error", body) if isinstance(body, Mapping) else {}
    return [str(error.get(field)) for field in ("code", "type") if isinstance(error, Mapping) and error.get(field)]


def _message(body: object) -> str:
    error = body.get("error", body) if isinstance(body, Mapping) else {}
    message = str(error.get("message") or "") if isinstance(error, Mapping) else ""
    # A message may end in a log, so it must not hold a key or part of one.
    return re.sub(r"\b(sk|key|Bearer)[-_ ][\w*.-]{6,}", "[key]", message)[:300]


def _headers(error: Exception) -> Mapping[str, str]:
    response: Any = getattr(error, "response", None)
    return getattr(response, "headers", None) or {}


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds from Retry-After (seconds or a date, RFC 9110 section 10.2.3) or the finer retry-after-ms."""
    try:
        if (ms := headers.get("retry-after-ms")) is not None:
            return min(max(float(ms) / 1000, 0.0), MAX_RETRY_AFTER)
        if (after := headers.get("retry-after")) is None:
            return None
        try:
            seconds = float(after)
        except ValueError:
            seconds = email.utils.parsedate_to_datetime(after).timestamp() - time.time()
        return min(max(seconds, 0.0), MAX_RETRY_AFTER)
    except ValueError:
        return None
