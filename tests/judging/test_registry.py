"""The table of judges: every judge can be made, and naming one imports no client of a vendor."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from anomend.judging.registry import JUDGES, PAID_JUDGES, make_judge, module_of
from anomend.judging.settings import JudgeSettings, LlmSettings
from tests.conftest import ROOT
from tests.detectors.settings import detector_params
from tests.purchasing.settings import settings_for


@pytest.mark.parametrize("name", sorted(JUDGES))
def test_every_judge_can_be_made(name: str, tmp_path: Path) -> None:
    purchase = settings_for("claude-opus-5-5", tmp_path)
    llm = LlmSettings(purchase=purchase, question="Which?", image_size=256, max_tokens=1000)
    assert make_judge(name, JudgeSettings(detector="none", detectors=detector_params(), llm=llm)).provider == name
    assert find_spec(module_of(name)) is not None
    if name in PAID_JUDGES:
        with pytest.raises(ValueError, match=r"set judge\.models"):
            make_judge(name, JudgeSettings(detector="none", detectors=detector_params()))


def test_an_unknown_judge_is_refused_with_the_names() -> None:
    with pytest.raises(ValueError, match="there is no judge 'oracle': choose one of anatomy, anthropic, openai"):
        module_of("oracle")


def test_the_tables_of_plugins_import_no_client() -> None:
    script = (
        "import sys, anomend.judging.registry, anomend.judging.panel, anomend.collecting.collection\n"
        "print({'openai', 'anthropic', 'torch', 'mediapipe'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
