"""Sixty wrong values in params.yaml, one at a time: `resolve` names the key, the value, and what would be right."""

from __future__ import annotations

import copy
import re
import resource
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.clones import environment
from tests.conftest import ROOT
from tests.faults.table import Row, record, whole_suite
from tests.parameters import params_of

WRONG: list[tuple[str, object]] = [
    ("profile", "huge"),
    ("profile", 3),
    ("base.name", "sd9"),
    ("base.resolution", 65),
    ("base.resolution", -64),
    ("base.resolution", "wide"),
    ("base.max_sequence_length", 0),
    ("base.device", "tpu"),
    ("base.dtype", "float8"),
    ("prompts.target", []),
    ("prompts.target", ["  "]),
    ("prompts.target", "lying on the grass"),
    ("prompts.held_out", [""]),
    ("collect.source", "nowhere"),
    ("collect.images", 0),
    ("collect.images", "many"),
    ("collect.seed", -1),
    ("collect.mix", "folder"),
    ("collect.mix", {"drawn_people": 5}),
    ("collect.folder.path", ""),
    ("collect.folder.caption", " "),
    ("collect.paper.path", ""),
    ("collect.openai.individual_template", ""),
    ("collect.source", ["folder", "paper"]),
    ("collect.mix", {"folder": 0}),
    ("collect.mix", {"nowhere": 3}),
    ("collect.max_usd", -1),
    ("collect.max_usd", "five"),
    ("collect.openai.model", " "),
    ("collect.openai.size", "huge"),
    ("collect.openai.quality", "best"),
    ("collect.openai.output_format", "gif"),
    ("collect.openai.people", []),
    ("collect.openai.contexts", [""]),
    ("collect.openai.requests.concurrency", 0),
    ("collect.openai.requests.timeout_s", 0),
    ("curate.detector", "My Eyes"),
    ("curate.min_kept", 0),
    ("curate.criteria.min_side", 0),
    ("curate.criteria.min_area", 1.5),
    ("curate.criteria.min_sharpness", -0.1),
    ("curate.criteria.min_inside", 2),
    ("curate.criteria.max_background", -1),
    ("curate.criteria.min_body", 1.5),
    ("curate.criteria.min_anatomy", "clear"),
    ("curate.criteria.min_hands", 1.1),
    ("curate.criteria.min_distance", 65),
    ("curate.criteria", "none"),
    ("detectors.photographs.networks", ""),
    ("detectors.rtdetr.person_revision", "main"),
    ("detectors.rtdetr.pose_model", ""),
    ("class_images.per_prompt", -1),
    ("class_images.max_tries", 0),
    ("class_images.first_seed", -5),
    ("losers.per_prompt", -1),
    ("losers.max_tries", 0),
    ("encode.batch_size", 0),
    ("encode.flip", "perhaps"),
    ("encode.crops", -1),
    ("encode.min_crop", 1.5),
    ("encode.min_crop", 0),
    ("train.method", "lora"),
    ("train.steps", 0),
    ("train.steps", 1.5),
    ("train.batch_size", 0),
    ("train.class_batch_size", -1),
    ("train.prior_loss_weight", -1.0),
    ("train.rank", 0),
    ("train.alpha", 0),
    ("train.target_modules", []),
    ("train.quantise_base", "int2"),
    ("train.optimizer", "sgdm"),
    ("train.learning_rate", -1e-4),
    ("train.learning_rate", "1e-4x"),
    ("train.lr_scheduler", "sine"),
    ("train.warmup_steps", -1),
    ("train.weight_decay", -0.1),
    ("train.max_grad_norm", 0),
    ("train.ema_decay", 1.0),
    ("train.sigma_scheme", "normal"),
    ("train.sigma_shift", 0),
    ("train.sigma_std", 0),
    ("train.loss_weighting", "most"),
    ("train.checkpoint_every", 0),
    ("train.dpo.beta", 0),
    ("train.monitor.every", -1),
    ("train.monitor.keep", "all"),
    ("train.monitor.trackers", ["paper"]),
    ("sample.steps", 0),
    ("sample.guidance_scale", 0.5),
    ("sample.target_seeds_per_prompt", 0),
    ("measure.extractor", "eyes"),
    ("compare.confidence", 1.0),
    ("compare.resamples", 0),
    ("verdict.min_target_drop", 2.0),
    ("verdict.max_copy_rate", 1.5),
    ("judge.repeats", 0),
    ("report.pairs_per_prompt", 0),
]


def with_value(raw: dict[str, Any], key: str, value: object) -> dict[str, Any]:
    *sections, leaf = key.split(".")
    found = raw
    for section in sections:
        found = found[section]
    assert leaf in found, f"{key} is not a parameter: fix the table"
    found[leaf] = value
    return raw


ONE_SIDED = ("greater than", "less than", "multiple of", "valid integer", "valid number")


def test_there_are_sixty() -> None:
    assert len(WRONG) >= 60


def named(sentence: str, key: str, value: object) -> bool:
    """It names the key, the value and what is allowed: choices, or the bounds of a number."""
    shown = repr(value[0]) if isinstance(value, list) and value else repr(value)
    # Of a mapping, the entry that is wrong is enough.
    parts = [part for pair in value.items() for part in pair] if isinstance(value, dict) else []
    told = key in sentence and any(each in sentence for each in (shown, *map(repr, parts)))
    if any(words in sentence for words in ONE_SIDED) and not isinstance(value, dict):
        told = told and re.search(r"\((at least|above|at most|below|a multiple of) -?[0-9.]", sentence) is not None
    return told and len(sentence) > len(f"{key} = {shown}: ") + 5 and len(sentence.splitlines()) == 1


@pytest.mark.parametrize(("key", "value"), WRONG, ids=lambda part: str(part)[:30])
def test_a_wrong_value_is_named(raw_params: dict[str, Any], key: str, value: object) -> None:
    with pytest.raises(ValueError) as refused:
        params_of(with_value(raw_params, key, value))
    assert named(str(refused.value), key, value), str(refused.value)


@pytest.mark.parametrize(
    "wrong",
    [pytest.param(WRONG, marks=pytest.mark.slow) if whole_suite() else [("train.rank", 0)]],
    ids=["all" if whole_suite() else "one"],
)
def test_the_stage_refuses_in_under_three_seconds(
    raw_params: dict[str, Any], tmp_path: Path, wrong: list[tuple[str, object]]
) -> None:
    longest = 0.0
    for key, value in wrong:
        changed = with_value(copy.deepcopy(raw_params), key, value)
        (tmp_path / "params.yaml").write_text(yaml.safe_dump(changed), encoding="utf-8")
        shutil.copytree(ROOT / "profiles", tmp_path / "profiles", dirs_exist_ok=True)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(
            [sys.executable, "-m", "stages.resolve"],
            cwd=tmp_path,
            env=environment() | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        # Processor time, which is what an idle machine takes, whatever else runs on this one.
        longest = max(longest, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr[-2000:]
        assert named(done.stderr.strip().removeprefix("resolve: "), key, value), done.stderr
        assert not (tmp_path / "resolved/params.json").exists()
    assert longest < 3
    message = f"each in one sentence, the slowest after {longest:.2f} s of processor time; {done.stderr.strip()}"
    record(Row("resolve", "a wrong value in params.yaml, one at a time", len(wrong), 0, message))
