"""What a kind of server is sent, and how its answer is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

UNREADABLE = "unreadable_answer"
"""Kind of a picture about which a language model says nothing that can be read: it was not seen, and does not count as
right."""


@dataclass(frozen=True, kw_only=True)
class Form:
    """One kind of server."""

    path: str
    """After the endpoint's URL."""
    kinds: tuple[str, ...]
    """Every anomaly that it can name."""
    body: Callable[[bytes, str | None, str], dict[str, Any]]
    """From a picture as PNG, the model's name and the instructions: what is sent."""
    problem: Callable[[Mapping[str, Any]], str | None]
    """Why an answer is not one, so that it is asked for again and not kept; None if it is one."""
    anomalies: Callable[[Mapping[str, Any]], tuple[str, ...]]
    """What an answer says, in the order of `kinds`."""
    instructions: str = ""
    """What a language model is told, unless the user has other words."""


def invalid(model: type[BaseModel], answer: Mapping[str, Any]) -> str | None:
    """What is wrong with an answer by a model of it; None if nothing is."""
    try:
        model.model_validate(answer)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        return f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}"
    return None
