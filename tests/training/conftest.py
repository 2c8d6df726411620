"""Compiling in tests."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
import torch


@pytest.fixture
def no_code_generator(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch.compile without its code generator, which takes a minute per graph on a CPU.

    What is the project's own is tested all the same: the captured graph, the guards, adapters and new values. Other
    tests use the generator, and `ANOMEND_INDUCTOR=1` has all of them do so.
    """
    if os.environ.get("ANOMEND_INDUCTOR"):
        return
    compiled = torch.compile

    def traced(function: Callable[..., Any], *, options: dict[str, Any], **how: Any) -> Any:
        guards = {"guard_filter_fn": options["guard_filter_fn"]}
        return compiled(function, backend="aot_eager", options=guards, **how)

    monkeypatch.setattr(torch, "compile", traced)
