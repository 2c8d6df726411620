"""Records of confirmations: committed first, and for one LoRA, one set of thresholds and one range of seeds."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import binom

from anomend.confirming.records import (
    RESERVED,
    level_of,
    new_record,
    path_of,
    read_records,
    record_as_text,
    record_in_force,
    refuse_another_lora,
)
from anomend.params.params import Params
from anomend.params.profiles import merge
from commands.confirm import settings_of
from commands.plan import with_settings
from tests.conftest import ROOT
from tests.parameters import params_of, user_params

LORA = "ab" * 32


def of(**changes: dict[str, Any]) -> Params:
    return params_of(merge(user_params(), changes))


def confirmed(**changes: dict[str, Any]) -> Params:
    """The parameters of the first confirmation."""
    return of(**merge({"sample": {"first_seed": RESERVED}, "verdict": {"level": 0.975}}, changes))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A git repository with the committed record of a first confirmation."""
    for words in (["init", "-q"], ["config", "user.email", "a@example.org"], ["config", "user.name", "a"]):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    path_of(tmp_path, 1).write_text(record_as_text(new_record(of(), LORA, 1)))
    commit(tmp_path)
    return tmp_path


def commit(folder: Path) -> None:
    subprocess.run(["git", "add", "."], cwd=folder, check=True)
    subprocess.run(["git", "commit", "-qm", "record"], cwd=folder, check=True)


def test_everyday_seeds_have_no_record(folder: Path) -> None:
    assert record_in_force(of(), folder) is None


def test_the_record_of_a_confirmation_is_in_force_with_its_settings_alone(folder: Path) -> None:
    record = record_in_force(confirmed(), folder)
    assert record is not None and record.attempt == 1 and record.first_seed == RESERVED
    refuse_another_lora(record, LORA)
    with pytest.raises(ValueError, match="confirmation 1 is of the LoRA abababababab, and this one is cdcdcdcdcdcd"):
        refuse_another_lora(record, "cd" * 32)
    refuse_another_lora(None, "cd" * 32)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"verdict": {"max_target_rate": 0.2}}, "verdict.max_target_rate = 0.2 where"),
        ({"verdict": {"level": 0.95}}, "verdict.level = 0.95 where"),
        ({"prompts": {"target": ["lying on the grass"]}}, "prompts.target = "),
        ({"sample": {"steps": 19}}, "sample.steps = 19 where"),
        ({"measure": {"detector": "none"}, "judge": {"judges": []}}, "measure.detector = 'none' where"),
        ({"sample": {"first_seed": RESERVED + 1}}, "no record in"),
        ({"sample": {"first_seed": RESERVED - 1}}, "no record in"),
    ],
)
def test_other_settings_on_its_seeds_are_refused(folder: Path, changes: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named.replace(".", r"\.")):
        record_in_force(confirmed(**changes), folder)


@pytest.mark.parametrize(
    "section",
    [
        {"class_images": {"first_seed": RESERVED + 5}},
        {"train": {"monitor": {"first_seed": RESERVED + 50_000}}},
        {"train": {"method": "dpo"}, "losers": {"first_seed": RESERVED - 1}},
        {"train": {"method": "nft", "nft": {"first_seed": RESERVED - 1}}},
        {"collect": {"source": "base", "base": {"first_seed": RESERVED - 1}}},
    ],
)
def test_nothing_is_trained_or_watched_on_reserved_seeds(folder: Path, section: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="which are for confirmations alone: choose smaller ones"):
        record_in_force(of(**section), folder)


def test_how_the_tuned_model_is_sampled_belongs_to_the_record(folder: Path) -> None:
    negative = {"sample": {"tuned": {"negative_prompt": "extra limbs"}}}
    with pytest.raises(ValueError, match=r"sample\.tuned = \{'negative_prompt': 'extra limbs'"):
        record_in_force(confirmed(**negative), folder)
    assert "tuned" not in new_record(of(), LORA, 1).sample
    path_of(folder, 1).write_text(record_as_text(new_record(of(**negative), LORA, 1)))
    commit(folder)
    assert record_in_force(confirmed(**negative), folder) is not None
    with pytest.raises(ValueError, match=r"sample\.tuned = None where"):
        record_in_force(confirmed(), folder)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"sample": {"tuned": {"best_of": {"n": 2}}}}, "draws from seeds of its own, which everyday runs have seen"),
        (
            {"train": {"method": "none"}, "sample": {"tuned": {"negative_prompt": "x"}}},
            "train.method = 'none' trains no LoRA, and a confirmation is of one",
        ),
    ],
)
def test_what_has_no_lora_or_no_seeds_of_a_confirmation_is_not_confirmed(
    folder: Path, changes: dict[str, Any], said: str
) -> None:
    assert record_in_force(of(**changes), folder) is None
    for refused in (lambda: new_record(of(**changes), LORA, 2), lambda: record_in_force(confirmed(**changes), folder)):
        with pytest.raises(ValueError, match=said):
            refused()


def test_the_lora_of_the_base_side_belongs_to_the_record(folder: Path) -> None:
    against = {"sample": {"against": {"file": "a.safetensors", "author": "Bo"}}}
    record = new_record(of(**against), LORA, 1, "b" * 64)
    refuse_another_lora(record, "b" * 64, "base")
    with pytest.raises(ValueError, match=f"is of the LoRA {'b' * 12}, and this one is {'c' * 12}: another LoRA takes"):
        refuse_another_lora(record, "c" * 64, "base")
    with pytest.raises(ValueError, match="is against the base itself, and this one is"):
        refuse_another_lora(new_record(of(), LORA, 1), "c" * 64, "base")
    assert "against" not in record_as_text(new_record(of(), LORA, 1))
    path_of(folder, 1).write_text(record_as_text(record))
    commit(folder)
    assert record_in_force(confirmed(**against), folder) == record
    with pytest.raises(ValueError, match=r"sample\.against = None where"):
        record_in_force(confirmed(), folder)


def test_a_record_that_is_not_committed_or_was_changed_does_not_count(folder: Path) -> None:
    path = path_of(folder, 1)
    path.write_text(path.read_text().replace("0.15", "0.25"))
    with pytest.raises(ValueError, match="is not committed as it is"):
        record_in_force(confirmed(verdict={"max_target_rate": 0.25}), folder)


def test_attempts_are_counted_and_none_may_be_deleted(folder: Path) -> None:
    path_of(folder, 3).write_text(record_as_text(new_record(of(), LORA, 3)))
    with pytest.raises(ValueError, match="lacks a record"):
        read_records(folder)
    path_of(folder, 3).write_text("{}")
    with pytest.raises(ValueError, match=r"003\.json is no record of a confirmation"):
        read_records(folder)


def test_twenty_recipes_beyond_the_limit_are_seldom_confirmed() -> None:
    """Twenty LoRAs with a true target rate of .17, each sent to a confirmation: one passes in 5% of projects at most.

    The target rate's clause alone, with the exact chance that it passes at the level of each attempt.
    """
    n, limit, truth = 320, 0.15, 0.17
    counts = np.arange(n)
    passes = []
    for attempt in range(1, 21):
        shown = np.flatnonzero(binom.cdf(counts, n, limit) <= 1 - level_of(attempt, 0.95))
        passes.append(float(binom.cdf(shown.max(), n, truth)))
    assert 1 - np.prod(1 - np.array(passes)) <= 0.05
    # At the limit itself, too.
    assert sum(1 - level_of(attempt, 0.95) for attempt in range(1, 50)) <= 0.05 + 1e-9


def test_the_committed_record_is_computed_again_with_its_own_prompts_whatever_they_are_now(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of today's defaults some prompts may have become siblings, which no early record names."""
    monkeypatch.chdir(ROOT)
    record = read_records(Path("confirmations"))[0]
    params = params_of(with_settings(user_params(), settings_of(record)))
    again = new_record(params, record.lora_sha256, record.attempt)
    assert again.prompts == record.prompts and again.first_seed == record.first_seed
    assert params.verdict.level == record.verdict["level"]


def test_siblings_are_recorded_beforehand_too() -> None:
    prompts = {"siblings": ["lying on the snow"], "held_out": ["standing on the grass"]}
    params = of(prompts=prompts, class_images={"per_prompt": 0}, train={"class_batch_size": 0})
    assert new_record(params, LORA, 1).prompts["siblings"] == ["lying on the snow"]
