"""The one table of what the vendors' errors mean for a run: one request is refused, is tried again, or all must stop.

Codes are those that the vendors document: OpenAI's error codes (platform.openai.com/docs/guides/error-codes) with
`ResponseError.code` of its client, and Anthropic's error types (docs.claude.com/en/api/errors).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

Meaning = Literal["credit", "key", "forbidden", "unknown", "again", "refused", "unusable", "rejected"]
"""credit, key, forbidden, unknown, rejected: every further request would meet the same, so the run stops.
again: it may pass. unusable: this request alone failed; it is tried again, then reported, and never stored.
refused: the vendor will not answer this request; that is recorded, and the others go on."""

SERVER_FAULTS = tuple(range(500, 600))


@dataclass(frozen=True)
class Rule:
    """One line of the table; what is empty matches anything."""

    meaning: Meaning
    statuses: Collection[int | None] = ()
    """None is an error in a batch."""
    codes: Collection[str] = ()
    """Of the error's `code` or its `type`."""
    phrase: str = ""
    """In the error's message, in small letters."""

    def matches(self, status: int | None, codes: Collection[str], message: str) -> bool:
        """Whether an error is meant; an entry of a batch has no status."""
        by_status = not self.statuses or status in self.statuses
        return by_status and (not self.codes or bool(set(self.codes) & set(codes))) and self.phrase in message.lower()


RULES = (
    # Both vendors: money. Before 429, which OpenAI answers with `insufficient_quota`.
    Rule("credit", codes=("insufficient_quota", "billing_hard_limit_reached", "billing_not_active", "billing_error")),
    Rule("credit", codes=("billing_limit_user_error",)),
    Rule("credit", statuses=(402,)),
    Rule("credit", statuses=(400,), phrase="credit balance is too low"),
    Rule("credit", statuses=(400,), phrase="reached your specified api usage limits"),
    # Both: key, permission, name of the model.
    Rule("key", statuses=(401,)),
    Rule("key", codes=("invalid_api_key", "authentication_error")),
    # OpenAI says so with 403, with 404 and with 400.
    Rule("forbidden", statuses=(400, 403, 404), phrase="organization must be verified"),
    Rule("forbidden", statuses=(400,), phrase="organization has been disabled"),
    Rule("forbidden", statuses=(403,)),
    Rule("forbidden", codes=("permission_error", "data_residency_mismatch")),
    Rule("unknown", statuses=(404,)),
    Rule("unknown", codes=("model_not_found", "not_found_error")),
    # Both: load and faults of the server, Anthropic's 529 among them.
    Rule("again", statuses=(408, 409, 425, 429, *SERVER_FAULTS)),
    Rule("again", codes=("server_error", "rate_limit_exceeded", "vector_store_timeout")),
    Rule("again", codes=("rate_limit_error", "api_error", "timeout_error", "overloaded_error")),
    # OpenAI: moderation of prompts and pictures.
    Rule("refused", codes=("moderation_blocked", "content_policy_violation", "content_filter", "invalid_prompt")),
    Rule("refused", codes=("image_content_policy_violation", "misalignment_policy_violation")),
    Rule("refused", codes=("bio_policy", "cyber_policy")),
    # Without a code, as its older models and Azure do it: the message alone says so.
    Rule("refused", statuses=(400, None), phrase="safety system"),
    Rule("refused", statuses=(400, None), phrase="violating our usage policy"),
    # OpenAI: a picture that it could not read. The type of moderated pictures, `image_generation_user_error`, is that
    # of these errors too, so the code decides.
    Rule("unusable", codes=("invalid_image_file", "invalid_image", "invalid_image_format", "invalid_base64_image")),
    Rule("unusable", codes=("invalid_image_url", "invalid_image_mode", "image_parse_error", "empty_image_file")),
    Rule("unusable", codes=("image_too_small", "image_too_large", "image_file_too_large", "image_file_not_found")),
    Rule("unusable", codes=("unsupported_image_media_type", "failed_to_download_image")),
    Rule("unusable", codes=("image_generation_user_error",)),
    Rule("unusable", codes=("invalid_request_error",), phrase="unsupported image"),
    # Anthropic: says so by the message alone, with the type of any invalid request.
    Rule("refused", codes=("invalid_request_error",), phrase="blocked by content filtering policy"),
    Rule("unusable", codes=("invalid_request_error",), phrase="could not process image"),
    Rule("unusable", codes=("invalid_request_error",), phrase="the image appears to be"),
    Rule("unusable", codes=("invalid_request_error",), phrase="image exceeds"),
)


def meaning_of(status: int | None, codes: Collection[str], message: str) -> Meaning:
    """What an error means: the first rule that matches; `rejected` where none does."""
    return next((rule.meaning for rule in RULES if rule.matches(status, codes, message)), "rejected")
