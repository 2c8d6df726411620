"""What can go wrong with a paid request: it may be tried again, it may not, or the provider refuses to answer.

The official clients of OpenAI and Anthropic come from one generator and raise exceptions of the same names. They are
classified here by name and content, so that neither client has to be imported.
"""

from __future__ import annotations

import email.utils
import re
import time
from collections.abc import Mapping, Sequence
from typing import Any

from anomend.purchasing.requests import Outcome
from anomend.purchasing.vendor_errors import meaning_of

MAX_RETRY_AFTER = 300.0
"""Seconds; a longer wait that a server asks for is cut to this."""


class FatalRequestError(ValueError):
    """The run must stop: the same would happen to every further request. The message names the fix."""


class TransientRequestError(Exception):
    """It may succeed next time."""

    def __init__(
        self, reason: str, retry_after: float | None = None, maybe_paid: bool = False, alone: bool = False
    ) -> None:
        super().__init__(reason)
        self.alone = alone
        """Only this request fails: the others go on when it has been tried for the last time."""
        self.retry_after = retry_after
        """Seconds the server asked to wait."""
        self.maybe_paid = maybe_paid
        """The provider may have charged for it: the answer never arrived, or cannot be used."""


class UnknownRequestError(FatalRequestError):
    """The provider does not have what the request names, such as a model or a batch."""


class UnusableRequest(FatalRequestError):
    """This request failed whenever it was sent; the others went on, and nothing is stored for it."""


class RefusedRequest(Exception):
    """The provider will not answer this request; others may succeed."""


class FailedBatch(Exception):
    """A whole batch failed, and answered nothing; the message is the provider's reason."""


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
        wait = _retry_after(_headers(error))
        return error_of(status, body, provider=provider, key_variable=key_variable, retry_after=wait)
    names = {cls.__name__ for cls in type(error).__mro__}
    if names & {"APIConnectionError", "APITimeoutError", "APIResponseValidationError", "JSONDecodeError"}:
        cut = "the connection failed or the answer was cut off"
        reason = "no answer in time" if "APITimeoutError" in names else cut
        return TransientRequestError(reason, maybe_paid=True)
    # The clients do not wrap what httpx raises while a body is read.
    if names & {"TransportError", "DecodingError", "StreamError", "InvalidURL"}:
        return TransientRequestError("the connection failed or the answer was cut off", maybe_paid=True)
    return error


def error_of(
    status: int | None, body: object, *, provider: str, key_variable: str, retry_after: float | None = None
) -> Exception:
    """The exception for an error that a provider sent; `vendor_errors` has the table.

    Args:
        status: HTTP status; None in a batch and in an answer that says itself that it failed.
        body: the error, or a mapping that holds it under `error`.
        provider: the provider's name, for the message.
        key_variable: environment variable of its key, for the message.
        retry_after: seconds that the server asked to wait.
    """
    codes, message = _codes(body), _message(body)
    named = " ".join(dict.fromkeys([str(status or ""), *codes])).strip() or "an error"
    reason = f"{named}: {message}" if message else f"{named}, no reason given"
    match meaning_of(status, codes, message):
        case "credit":
            return FatalRequestError(f"{provider} says that the account has no credit left: top it up, then run again")
        case "key":
            # The provider's own message repeats part of the key.
            return FatalRequestError(
                f"{provider} refuses the key ({status or named}): set {key_variable} to a key that is valid and may use"
                " the model"
            )
        case "forbidden":
            return FatalRequestError(
                f"{provider} forbids the request ({reason}): settle that in your account there, or name another model"
                f" or a key in {key_variable} that may use it"
            )
        case "unknown":
            return UnknownRequestError(
                f"{provider} does not know the model or the address ({message or named}): name one that it has today"
            )
        case "again":
            return TransientRequestError(f"{provider} answered {named}", retry_after)
        case "refused":
            return RefusedRequest(message or "refused by moderation")
        case "unusable":
            return TransientRequestError(f"{provider} could not use a request ({reason})", retry_after, alone=True)
        case _:
            return FatalRequestError(f"{provider} rejects the request ({reason}): change what is sent, then run again")


def unanswered(error: Exception) -> Outcome | str:
    """What is kept of a batch's request that failed: its refusal, or the reason why there is no answer.

    Raises:
        Exception: `error`, if it is a bug and none of this module's exceptions.
    """
    if isinstance(error, RefusedRequest):
        return Outcome(kind="refusal", response={}, usd=0.0, reason=str(error))
    if isinstance(error, FatalRequestError | TransientRequestError):
        return str(error)
    raise error


def described(error: Mapping[str, Any]) -> str:
    """A provider's error in a few words: its code and its message."""
    return ": ".join(filter(None, [*_codes(error), _message(error)])) or "no reason given"


def failed_batch(errors: Sequence[Mapping[str, Any]]) -> FailedBatch:
    """The exception for a batch that failed as a whole; `errors` are the provider's, each with a code and a message."""
    reasons = list(map(described, errors))
    more = f" and {len(reasons) - 1} more" if len(reasons) > 1 else ""
    return FailedBatch(f"{reasons[0]}{more}" if reasons else "no reason given")


def _codes(body: object) -> list[str]:
    error = body.get("error", body) if isinstance(body, Mapping) else {}
    codes = [str(error.get(field)) for field in ("code", "type") if isinstance(error, Mapping) and error.get(field)]
    # Anything else is no code of a vendor, and could be what must not end in a log.
    return [code for code in codes if re.fullmatch(r"[A-Za-z_]{1,60}", code)]


def _message(body: object) -> str:
    """The provider's reason on one line, without keys and names of accounts: it may end in a log."""
    error = body.get("error", body) if isinstance(body, Mapping) else {}
    message = str(error.get("message") or "") if isinstance(error, Mapping) else ""
    for secret in (r"\b(sk|Bearer)[-_ ][\w*.-]+", r"\bkey[-_ ](?=\S*[\d*])[\w*.-]{6,}"):
        message = re.sub(secret, "[key]", message)
    for account in (r"\b(org|proj|user|wrkspc)[-_](?=\w*\d)\w{6,}", r"\b[\w.+-]+@[\w-]+\.[\w.-]*\w"):
        message = re.sub(account, "[account]", message)
    return " ".join(message.split())[:300]


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
