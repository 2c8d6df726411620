"""What the report and the comment on a pull request say of confirmations, from the project's own record."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from anomend.reporting.confirmations import all_confirmations, confirmed_or_exploratory
from tests.conftest import ROOT


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "confirmations", tmp_path / "confirmations")
    return tmp_path / "confirmations"


def lora(folder: Path) -> str:
    return str(json.loads((folder / "001.json").read_text())["lora_sha256"])


def test_a_run_names_the_confirmations_of_its_own_lora(folder: Path) -> None:
    verdict = json.loads((folder / "001" / "verdict.json").read_text())
    rate = verdict["clauses"]["target_rate"]
    assert confirmed_or_exploratory(folder, lora(folder)) == (
        "Exploratory: its seeds are those of everyday runs. At fresh seeds (attempt 1): "
        f"{verdict['verdict']}, {rate['figure']:.1%} wrong after (at most {rate['bound']:.1%})."
    )
    (folder / "001" / "verdict.json").unlink()
    assert confirmed_or_exploratory(folder, lora(folder)).endswith("At fresh seeds (attempt 1): not computed yet.")


def test_another_lora_is_told_which_attempt_it_would_be(folder: Path, tmp_path: Path) -> None:
    assert confirmed_or_exploratory(folder, "f" * 64).endswith(
        "; a confirmation (make confirm) takes fresh ones, as attempt 2."
    )
    assert confirmed_or_exploratory(tmp_path / "none", "f" * 64).endswith("takes fresh ones.")


def test_a_reviewer_sees_the_attempts_of_all_loras(folder: Path) -> None:
    (told,) = all_confirmations(folder, "f" * 64)
    assert told.startswith(f"Confirmation 1 of another LoRA, {lora(folder)[:12]}, at the level 0.975: corrected")
    (told,) = all_confirmations(folder, lora(folder))
    assert told.startswith("Confirmation 1 of this LoRA, at the level 0.975: corrected")
