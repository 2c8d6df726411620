"""What OpenAI-compatible servers, such as vLLM and SGLang, are sent and answer (`/chat/completions`)."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, Field

from anomend.detectors.endpoint.form import invalid

PATH = "/chat/completions"
MOST_TOKENS = 2048
"""Of an answer; both models' own evaluations allow as many."""


class _Message(BaseModel):
    content: str = Field(max_length=200_000)


class _Choice(BaseModel):
    message: _Message


class _Completion(BaseModel):
    choices: list[_Choice] = Field(min_length=1, max_length=10)


def body(png: bytes, model: str | None, instructions: str) -> dict[str, Any]:
    """See `Form.body`."""
    image = f"data:image/png;base64,{base64.b64encode(png).decode()}"
    parts = [{"type": "image_url", "image_url": {"url": image}}, {"type": "text", "text": instructions}]
    messages = [{"role": "user", "content": parts}]
    return {"model": model, "messages": messages, "temperature": 0, "max_tokens": MOST_TOKENS}


def problem(answer: Mapping[str, Any]) -> str | None:
    """See `Form.problem`."""
    return invalid(_Completion, answer)


def text(answer: Mapping[str, Any]) -> str:
    """What the model says."""
    return _Completion.model_validate(answer).choices[0].message.content
