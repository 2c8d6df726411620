"""Judge `anthropic`: Claude, by the Messages API with structured outputs."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import anthropic

from anomend.judging.llm_judge import LlmJudge
from anomend.judging.settings import JudgeSettings
from anomend.purchasing.batch import Result
from anomend.purchasing.environment import KEY_VARIABLES
from anomend.purchasing.failures import classify, error_of, unanswered
from anomend.purchasing.prices import Price
from anomend.purchasing.requests import Outcome, PaidRequest


class AnthropicApi:
    """Anthropic's Messages API."""

    name = "anthropic"

    def __init__(self) -> None:
        self.client: anthropic.Anthropic | None = None

    def connect(self, api_key: str, timeout_s: float) -> None:
        """Make the client, without its retries: only ours know the budget and the store."""
        self.client = anthropic.Anthropic(api_key=api_key, max_retries=0, timeout=timeout_s)

    def send(self, content: Mapping[str, Any], images: Mapping[str, bytes], price: Price) -> Outcome:
        """Send one request; see `Provider`."""
        assert self.client is not None
        try:
            raw = self.client.messages.with_raw_response.create(**message_params(content, images))
            response = raw.parse()
        except Exception as error:
            raise _classified(error) from None
        return outcome_of(response.model_dump(mode="json", exclude_none=True), price, raw.headers.get("request-id"))

    def size(self, request: PaidRequest) -> int:
        """Bytes of a request in a batch; see `Provider`."""
        return len(json.dumps(batch_entry(request))) + 1

    def submit(self, requests: Sequence[PaidRequest]) -> str:
        """Submit a batch; see `Provider`."""
        assert self.client is not None
        entries: list[Any] = list(map(batch_entry, requests))
        try:
            return self.client.messages.batches.create(requests=entries).id
        except Exception as error:
            raise _classified(error) from None

    def ended(self, batch: str) -> bool:
        """Whether a batch has ended; see `Provider`."""
        assert self.client is not None
        try:
            return self.client.messages.batches.retrieve(batch).processing_status == "ended"
        except Exception as error:
            raise _classified(error) from None

    def results(self, batch: str, price: Price) -> Iterator[Result]:
        """The results of a batch; see `Provider`."""
        assert self.client is not None
        try:
            for entry in self.client.messages.batches.results(batch):
                if entry.result.type == "succeeded":
                    message = entry.result.message.model_dump(mode="json", exclude_none=True)
                    yield entry.custom_id, outcome_of(message, price, None, batch=True)
                elif entry.result.type == "errored":
                    error = entry.result.error.model_dump(mode="json")
                    yield entry.custom_id, unanswered(_error_of(None, error))
                else:
                    yield entry.custom_id, entry.result.type
        except Exception as error:
            raise _classified(error) from None

    def text(self, response: Mapping[str, Any]) -> str:
        """The text blocks of a message; thinking is left out."""
        return "".join(block["text"] for block in response.get("content", []) if block.get("type") == "text")

    def cut_off(self, response: Mapping[str, Any]) -> bool:
        """Whether the limit on tokens ended it."""
        return response.get("stop_reason") == "max_tokens"

    def close(self) -> None:
        """Close the client."""
        if self.client is not None:
            self.client.close()


def batch_entry(request: PaidRequest) -> dict[str, Any]:
    """A request in a batch."""
    return {"custom_id": request.key, "params": message_params(request.content, request.attachments)}


def message_params(content: Mapping[str, Any], images: Mapping[str, bytes]) -> dict[str, Any]:
    """The parameters of `messages.create` for a request."""
    blocks: list[dict[str, Any]] = []
    for label, name in zip(content["image_labels"], content["images_sha256"], strict=True):
        data = base64.b64encode(images[name]).decode()
        blocks.append({"type": "text", "text": f"{label}:"})
        blocks.append({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}})
    blocks.append({"type": "text", "text": content["question"]})
    return {
        "model": content["model"],
        "max_tokens": content["max_tokens"],
        "system": content["system"],
        "messages": [{"role": "user", "content": blocks}],
        "output_config": {"format": {"type": "json_schema", "schema": content["schema"]}},
    }


def outcome_of(message: dict[str, Any], price: Price, request_id: str | None, *, batch: bool = False) -> Outcome:
    """The outcome of a message: an answer, possibly cut off, or a refusal, which is paid for too."""
    usage = message.get("usage", {})
    cached = sum(usage.get(name) or 0 for name in ("cache_creation_input_tokens", "cache_read_input_tokens"))
    usd = price.usd(usage.get("input_tokens", 0) + cached, 0, usage.get("output_tokens", 0), batch=batch)
    if message.get("stop_reason") == "refusal":
        reason = (message.get("stop_details") or {}).get("explanation") or "the model refused"
        return Outcome(kind="refusal", response=message, usd=usd, reason=reason, request_id=request_id)
    return Outcome(kind="answer", response=message, usd=usd, request_id=request_id)


def make_judge(settings: JudgeSettings) -> LlmJudge:
    """Claude as a judge."""
    return LlmJudge(AnthropicApi(), settings.paid())


def _classified(error: Exception) -> Exception:
    return classify(error, "Anthropic", KEY_VARIABLES["anthropic"])


def _error_of(status: int | None, body: object) -> Exception:
    return error_of(status, body, provider="Anthropic", key_variable=KEY_VARIABLES["anthropic"])
