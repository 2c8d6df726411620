"""Stages and commands that only read results start without the libraries that take seconds to load."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.conftest import ROOT

HEAVY = ("torch", "transformers", "diffusers", "openai", "anthropic")


@pytest.mark.parametrize(
    "module", ["stages.report", "stages.resolve", "stages.verdict", "commands.plan", "commands.summary"]
)
def test_it_starts_without_heavy_libraries(module: str) -> None:
    code = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not set(HEAVY) & set(done.stdout.split())


def test_the_loras_card_costs_training_no_memory_until_it_is_written() -> None:
    code = "import sys, anomend.exporting.lora_card; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not {"torch", "pandas", "jinja2", "matplotlib"} & set(done.stdout.split())
