"""A confirmation through DVC and git: recorded, run at seeds of its own, and refused for anything else."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from anomend.confirming.records import RESERVED
from tests.clones import run

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def confirmed(reproduced_copy: Callable[[Path], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone whose run was committed, and confirmed once."""
    folder = reproduced_copy(tmp_path_factory.mktemp("confirmed") / "clone")
    refused = run(folder, "python", "-m", "commands.confirm", check=False)
    assert refused.returncode and "commit your run first" in refused.stderr
    run(folder, "git", "add", "-A")
    run(folder, "git", "commit", "-qm", "run")
    run(folder, "python", "-m", "commands.confirm")
    return folder


def images_made(folder: Path) -> int:
    """Blocks of images at the seeds of confirmations; a training looks at its own seeds."""
    lines = [json.loads(line) for line in (folder / ".samples" / "log.jsonl").read_text().splitlines()]
    return sum(line["first_seed"] >= RESERVED for line in lines)


def test_its_record_came_first_and_its_results_are_beside_it(confirmed: Path) -> None:
    subject = run(confirmed, "git", "log", "-1", "--format=%s").stdout.strip()
    assert subject == "Record of confirmation 1, before it runs"
    record = json.loads((confirmed / "confirmations" / "001.json").read_text())
    train = json.loads((confirmed / "metrics" / "train.json").read_text())
    assert record["lora_sha256"] == train["lora_sha256"] and record["verdict"]["level"] == 0.975
    verdict = json.loads((confirmed / "confirmations" / "001" / "verdict.json").read_text())
    assert verdict["confirmation"] == 1 and verdict["provenance"]["thresholds"]["level"] == 0.975
    assert "It is confirmation 1" in " ".join(verdict["scope"])
    assert "confirmation 1" in (confirmed / "confirmations" / "001" / "report.md").read_text()
    # The everyday run is as it was, and says what it is.
    everyday = json.loads((confirmed / "metrics" / "verdict.json").read_text())
    assert everyday["confirmation"] is None and "`make confirm`" in everyday["scope"][0]
    # Its report alone tells of the confirmation.
    said = (confirmed / "report" / "report.md").read_text()
    assert f"(attempt 1): {verdict['verdict'].replace('_', ' ')}" in said and "This is confirmation" not in said
    changed = run(confirmed, "git", "status", "--porcelain", "--untracked-files=no").stdout.split()[1::2]
    assert changed and all(file == "dvc.lock" or file.startswith("report/") for file in changed)


def test_the_same_record_gives_the_same_result_and_makes_no_image(confirmed: Path) -> None:
    assert images_made(confirmed) > 0
    before = (confirmed / "confirmations" / "001" / "verdict.json").read_bytes()
    (confirmed / "confirmations" / "001" / "verdict.json").unlink()
    made = images_made(confirmed)
    run(confirmed, "python", "-m", "commands.confirm", "--again", "1")
    assert (confirmed / "confirmations" / "001" / "verdict.json").read_bytes() == before
    assert images_made(confirmed) == made
    refused = run(confirmed, "python", "-m", "commands.confirm", "--again", "2", check=False)
    assert refused.returncode and "there are 1 records in confirmations" in refused.stderr


def test_another_threshold_or_lora_on_its_seeds_is_refused_before_an_image_is_made(confirmed: Path) -> None:
    made, own = images_made(confirmed), ["-S", f"sample.first_seed={RESERVED}", "-S", "verdict.level=0.975"]
    for changed, said in (
        ("verdict.max_target_rate=0.3", "verdict.max_target_rate = 0.3 where"),
        ("train.rank=2", "another LoRA takes a confirmation of its own"),
    ):
        refused = run(confirmed, "dvc", "exp", "run", "--temp", *own, "-S", changed, check=False)
        assert refused.returncode and said in refused.stdout + refused.stderr
    assert images_made(confirmed) == made
