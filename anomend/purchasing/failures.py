"""What can go wrong with a paid request: what may be tried again, what may not, and what is an outcome of its own.

The official clients of OpenAI and Anthropic come from one generator and raise the same classes of exceptions; they are
told apart here by what they carry, so that neither client is imported for the other's sake.
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
"""Seconds that a server may ask to wait; longer ones are cut to it."""


class FatalRequestError(ValueError):
    """The run must stop: the same would happen to every further request. The sentence names the mend."""


class TransientRequestError(Exception):
    """It may go well the next time."""

    def __init__(self, reason: str, retry_after: float | None = None, maybe_paid: bool = False) -> None:
        super().__init__(reason)
        self.retry_after = retry_after
        """Seconds the server asked to wait."""
        self.maybe_paid = maybe_paid
        """The provider may have charged for it: an answer that never arrived, or that cannot be used."""


class RefusedRequest(Exception):
    """The provider will not answer this one request; others may go well."""


def classify(error: Exception, provider: str, key_variable: str) -> Exception:
    """Turn a client's exception into one of the three above; one that is not a client's comes back as it is.

    Args:
        error: what the client raised.
        provider: the provider's name, for the sentence.
        key_variable: environment variable of its key, for the sentence.
    """
    status = getattr(error, "status_code", None)
    body = getattr(error, "body", None)
    if isinstance(status, int) and status >= 400:
        return _by_status(status, body, _headers(error), provider, key_variable, type(error).__name__)
    names = {cls.__name__ for cls in type(error).__mro__}
    if names & {"APIConnectionError", "APITimeoutError", "APIResponseValidationError", "JSONDecodeError"}:
        what = "no answer in time" if "APITimeoutError" in names else "the connection failed or the answer was cut off"
        return TransientRequestError(what, maybe_paid=True)
    # What httpx raises while a body is read reaches the caller as it is.
    if names & {"TransportError", "DecodingError", "StreamError", "InvalidURL"}:
        return TransientRequestError("the connection failed or the answer was cut off", maybe_paid=True)
    return error


def _by_status(
    status: int, body: object, headers: Mapping[str, str], provider: str, key_variable: str, name: str
) -> Exception:
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
        return TransientRequestError(f"{provider} answered {status} ({name})", _retry_after(headers))
    return FatalRequestError(f"{provider} does not take the request ({status}: {message or 'no reason given'})")


def _codes(body: object) -> list[str]:
    error = body.get("error", body) if isinstance(body, Mapping) else {}
    return [str(error.get(field)) for field in ("code", "type") if isinstance(error, Mapping) and error.get(field)]


def _message(body: object) -> str:
    error = body.get("error", body) if isinstance(body, Mapping) else {}
    message = str(error.get("message") or "") if isinstance(error, Mapping) else ""
    # No key, or part of one, goes into a sentence that may end in a log.
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
