"""What the report and the comment on a pull request say of confirmations, by the project's own one."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import pytest

from anomend.confirming.records import new_record, record_as_text
from anomend.params.params import Params
from anomend.reporting.confirmations import all_confirmations, everyday_sentence
from tests.conftest import ROOT
from tests.parameters import params_of

EVERYDAY = "Exploratory: its seeds are those of everyday runs"
LORA, OTHER = "a" * 64, "f" * 64


def of(**changes: Any) -> Params:
    """The miniature's parameters, with changes by section."""
    return params_of({"profile": "mini", **changes})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A confirmation of today's parameters, with the results of the project's first one."""
    folder = tmp_path / "confirmations"
    shutil.copytree(ROOT / "confirmations" / "001", folder / "001")
    (folder / "001.json").write_text(record_as_text(new_record(of(), LORA, 1)))
    return folder


def test_a_run_names_the_confirmations_of_its_own_lora(folder: Path) -> None:
    verdict = json.loads((folder / "001" / "verdict.json").read_text())
    rate = verdict["clauses"]["target_rate"]
    bound = math.ceil(1000 * rate["bound"]) / 10
    outcome = f"{verdict['verdict']}, {rate['figure']:.1%} wrong after (at most {bound}% with 97.5% confidence)"
    assert everyday_sentence(folder, LORA, of()) == (f"{EVERYDAY}. This LoRA at fresh seeds (attempt 1): {outcome}.")
    (folder / "001" / "verdict.json").unlink()
    assert everyday_sentence(folder, LORA, of()).endswith("(attempt 1): not computed yet.")


@pytest.mark.parametrize(
    "changes",
    [
        {"verdict": {"max_target_rate": 0.05}},
        {"prompts": {"held_out": ["standing on the grass"]}},
        {"sample": {"guidance_scale": 2.0}},
        {"measure": {"detector": "photographs"}},
    ],
)
def test_a_confirmation_of_other_rules_is_told_as_such(folder: Path, changes: dict[str, dict[str, object]]) -> None:
    said = everyday_sentence(folder, LORA, of(**changes))
    assert "(attempt 1, with other prompts, thresholds or settings): corrected" in said


def test_everyday_seeds_and_level_are_not_other_rules(folder: Path) -> None:
    said = everyday_sentence(folder, LORA, of(sample={"first_seed": 30_000}, verdict={"level": 0.9}))
    assert "(attempt 1): corrected" in said


def test_another_lora_is_told_which_attempt_it_would_be(folder: Path, tmp_path: Path) -> None:
    takes = f"{EVERYDAY}; a confirmation (make confirm) takes fresh ones"
    assert everyday_sentence(folder, OTHER, of()) == f"{takes}, as attempt 2."
    assert everyday_sentence(tmp_path / "none", OTHER, of()) == f"{takes}."


def test_a_reviewer_sees_the_attempts_of_all_loras(folder: Path) -> None:
    (told,) = all_confirmations(folder, OTHER)
    assert told.startswith(f"Confirmation 1 of another LoRA, {LORA[:12]}, at the level 0.975: corrected")
    (told,) = all_confirmations(folder, LORA)
    assert told.startswith("Confirmation 1 of this LoRA, at the level 0.975: corrected")
