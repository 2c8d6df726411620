"""Judge `openai`: a GPT model, by the Responses API with structured outputs."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import openai

from anomend.judging.llm_judge import LlmJudge
from anomend.judging.settings import JudgeSettings
from anomend.purchasing.batch import Result
from anomend.purchasing.environment import KEY_VARIABLES
from anomend.purchasing.failures import classify, described, error_of, failed_batch, unanswered
from anomend.purchasing.prices import Price
from anomend.purchasing.requests import Outcome, PaidRequest


class OpenAIApi:
    """OpenAI's Responses API."""

    name = "openai"

    def __init__(self) -> None:
        self.client: openai.OpenAI | None = None

    def connect(self, api_key: str, timeout_s: float) -> None:
        """Make the client, without its retries: only ours know the budget and the store."""
        self.client = openai.OpenAI(api_key=api_key, max_retries=0, timeout=timeout_s)

    def send(self, content: Mapping[str, Any], images: Mapping[str, bytes], price: Price) -> Outcome:
        """Send one request; see `Provider`."""
        assert self.client is not None
        try:
            raw = self.client.responses.with_raw_response.create(**response_params(content, images))
            response = raw.parse()
        except Exception as error:
            raise _classified(error) from None
        return outcome_of(response.model_dump(mode="json", exclude_none=True), price, raw.request_id)

    def size(self, request: PaidRequest) -> int:
        """Bytes of a request in a batch; see `Provider`."""
        return len(batch_line(request)) + 1

    def submit(self, requests: Sequence[PaidRequest]) -> str:
        """Submit a batch; see `Provider`."""
        assert self.client is not None
        content = b"\n".join(map(batch_line, requests))
        try:
            file = self.client.files.create(file=("requests.jsonl", content), purpose="batch")
            batch = self.client.batches.create(input_file_id=file.id, endpoint="/v1/responses", completion_window="24h")
        except Exception as error:
            raise _classified(error) from None
        return batch.id

    def ended(self, batch: str) -> bool:
        """Whether a batch has ended; see `Provider`."""
        assert self.client is not None
        try:
            return self.client.batches.retrieve(batch).status in ("completed", "failed", "expired", "cancelled")
        except Exception as error:
            raise _classified(error) from None

    def results(self, batch: str, price: Price) -> Iterator[Result]:
        """The results of a batch; see `Provider`."""
        assert self.client is not None
        try:
            ended = self.client.batches.retrieve(batch)
            if ended.status == "failed":
                errors = (ended.errors and ended.errors.data) or []
                raise failed_batch([error.model_dump() for error in errors])
            files = [name for name in (ended.output_file_id, ended.error_file_id) if name]
            # Not splitlines: an answer may hold other characters that end lines, such as U+2028.
            lines = [line for name in files for line in self.client.files.content(name).content.split(b"\n") if line]
        except Exception as error:
            raise _classified(error) from None
        for line in lines:
            entry = json.loads(line)
            response = entry.get("response") or {}
            if not response:  # It was not executed: expired, for example.
                yield entry["custom_id"], described(entry.get("error") or {})
                continue
            try:
                if response.get("status_code") != 200:
                    raise _error_of(response.get("status_code"), response.get("body"))
                outcome = outcome_of(response["body"], price, response.get("request_id"), batch=True)
            except Exception as error:
                yield entry["custom_id"], unanswered(error)
            else:
                yield entry["custom_id"], outcome

    def text(self, response: Mapping[str, Any]) -> str:
        """The text of a response's messages."""
        return "".join(part["text"] for part in _parts(response) if part.get("type") == "output_text")

    def cut_off(self, response: Mapping[str, Any]) -> bool:
        """Whether the limit on tokens ended it."""
        return (response.get("incomplete_details") or {}).get("reason") == "max_output_tokens"

    def close(self) -> None:
        """Close the client."""
        if self.client is not None:
            self.client.close()


def batch_line(request: PaidRequest) -> bytes:
    """A request as a line of a batch's file."""
    body = response_params(request.content, request.attachments)
    line = {"custom_id": request.key, "method": "POST", "url": "/v1/responses", "body": body}
    return json.dumps(line).encode()


def response_params(content: Mapping[str, Any], images: Mapping[str, bytes]) -> dict[str, Any]:
    """The parameters of `responses.create` for a request."""
    parts: list[dict[str, Any]] = []
    for label, name in zip(content["image_labels"], content["images_sha256"], strict=True):
        data = base64.b64encode(images[name]).decode()
        parts.append({"type": "input_text", "text": f"{label}:"})
        parts.append({"type": "input_image", "detail": "high", "image_url": f"data:image/png;base64,{data}"})
    parts.append({"type": "input_text", "text": content["question"]})
    verdict = {"type": "json_schema", "name": "verdict", "schema": content["schema"], "strict": True}
    return {
        "model": content["model"],
        "max_output_tokens": content["max_tokens"],
        "instructions": content["system"],
        "input": [{"role": "user", "content": parts}],
        "text": {"format": verdict},
        "store": False,
    }


def outcome_of(response: dict[str, Any], price: Price, request_id: str | None, *, batch: bool = False) -> Outcome:
    """The outcome of a response: an answer, possibly cut off, or a refusal, which is paid for too.

    Raises:
        Exception: one of `failures`, where the response says that it failed, which OpenAI sends with status 200.
    """
    if response.get("error") or response.get("status") in ("failed", "cancelled"):
        raise _error_of(None, response.get("error") or {"code": "server_error"})
    usage = response.get("usage") or {}
    usd = price.usd(usage.get("input_tokens", 0), 0, usage.get("output_tokens", 0), batch=batch)
    refusals = [part["refusal"] for part in _parts(response) if part.get("type") == "refusal"]
    filtered = (response.get("incomplete_details") or {}).get("reason") == "content_filter"
    if refusals or filtered:
        reason = " ".join(refusals) or "stopped by the content filter"
        return Outcome(kind="refusal", response=response, usd=usd, reason=reason, request_id=request_id)
    return Outcome(kind="answer", response=response, usd=usd, request_id=request_id)


def _parts(response: Mapping[str, Any]) -> list[dict[str, Any]]:
    messages = [item for item in response.get("output", []) if item.get("type") == "message"]
    return [part for message in messages for part in message.get("content", [])]


def make_judge(settings: JudgeSettings) -> LlmJudge:
    """A GPT model as a judge."""
    return LlmJudge(OpenAIApi(), settings.paid())


def _classified(error: Exception) -> Exception:
    return classify(error, "OpenAI", KEY_VARIABLES["openai"])


def _error_of(status: int | None, body: object) -> Exception:
    return error_of(status, body, provider="OpenAI", key_variable=KEY_VARIABLES["openai"])
