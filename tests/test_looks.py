"""Declared looks through DVC itself: what is sampled, what is not, and that nothing is made twice."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.clones import metrics, run, set_params

pytestmark = pytest.mark.slow

LENIENT = {"min_target_drop": 0.01, "max_target_rate": 0.95, "held_out_margin": 0.5, "worst_held_out_rise": 0.5}
"""Thresholds at which six steps of training settle nothing."""
FIRST = 31_000


@pytest.fixture(scope="module")
def project(reproduced_copy: Callable[[Path], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that has been reproduced with one look; the tests below go on from one another."""
    folder = reproduced_copy(tmp_path_factory.mktemp("looks") / "a project")
    run(folder, "git", "add", "-A")
    run(folder, "git", "commit", "-qm", "results")
    return folder


def blocks(folder: Path) -> list[dict[str, Any]]:
    """The blocks of evaluation images that the store's log lists."""
    rows = [json.loads(line) for line in (folder / ".samples" / "log.jsonl").read_text().splitlines()]
    return [row for row in rows if row["first_seed"] < 500_000]


def test_images_that_are_there_are_looked_at_and_none_is_made(project: Path) -> None:
    before = blocks(project)
    set_params(project, {"verdict": {"looks": [0.5, 1.0], **LENIENT}})
    run(project, "dvc", "repro", "verdict")
    assert blocks(project) == before
    looks, verdict = metrics(project)["looks"], metrics(project)["verdict"]
    assert (looks["look"], looks["stopped"], looks["images"]) == (2, "last look", looks["images_planned"])
    assert verdict["verdict"] == "inconclusive" and verdict["looks"]["error_spent"] == 0.05
    # What was seen at the first look is what the whole run's tables say of its seeds.
    (first,) = looks["earlier"]
    assert [sum(row.values()) for row in _counts(first["compare"]["anomaly_rate_target"]["prompts"])] == [3, 3]


def test_a_failed_clause_stops_both_models_at_the_first_look(project: Path) -> None:
    before = len(blocks(project))
    strict = {"min_target_drop": 0.3, "max_target_rate": 0.02}
    set_params(project, {"sample": {"first_seed": FIRST}, "verdict": {"looks": [0.5, 1.0], **strict}})
    run(project, "dvc", "repro", "verdict")
    looks, verdict = metrics(project)["looks"], metrics(project)["verdict"]
    assert (looks["look"], looks["stopped"], verdict["verdict"]) == (1, "a clause failed", "not_corrected")
    assert verdict["looks"] | {"error_spent": 0} == {
        "look": 1, "planned": 2, "error_spent": 0, "images": 24, "images_planned": 48,
    }  # fmt: skip
    # Blocks of three: each of the four prompts has three seeds of each model.
    new = blocks(project)[before:]
    assert len(new) == 8 and {block["first_seed"] for block in new} == {FIRST}
    assert not any(block["made_again"] for block in blocks(project))
    for model in ("base", "tuned"):
        rows = (project / "data/samples" / model / "metadata.jsonl").read_text().splitlines()
        assert len(rows) == metrics(project)[f"sample_{model}"]["images"] == 12


def test_the_same_look_is_reached_again_with_the_same_bytes(project: Path) -> None:
    file = project / "metrics/looks.json"
    before, made = file.read_bytes(), blocks(project)
    run(project, "dvc", "repro", "-f", "-s", "looks")
    assert file.read_bytes() == before and blocks(project) == made


def test_the_siblings_are_sampled_while_the_models_are_loaded(project: Path) -> None:
    before = len(blocks(project))
    set_params(project, {"prompts": {"siblings": ["lying on the snow"]}})
    run(project, "dvc", "repro", "looks")
    made = blocks(project)
    assert len(made) > before and {block["prompt"] for block in made[before:]} == {"lying on the snow"}
    run(project, "dvc", "repro", "sample_base", "sample_tuned")
    assert blocks(project) == made
    seeds = {row["prompt"]: row["seeds"] for row in metrics(project)["looks"]["seeds"] if row["group"] == "siblings"}
    for model in ("base", "tuned"):
        rows = (project / "data/samples" / model / "metadata.jsonl").read_text().splitlines()
        assert sum("lying on the snow" in row for row in rows) == seeds["lying on the snow"] > 0


def _counts(rows: list[dict[str, Any]]) -> list[dict[str, int]]:
    return [{name: count for name, count in row.items() if name != "name"} for row in rows]
