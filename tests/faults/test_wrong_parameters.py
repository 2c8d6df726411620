"""Sixty wrong values in params.yaml, one at a time: `resolve` names the key, the value, and what would be right."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from stages.params import resolve
from tests.clones import environment
from tests.conftest import ROOT
from tests.faults.conftest import Row

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
    ("collect.mix", {"figures": 5}),
    ("collect.folder.path", ""),
    ("collect.folder.caption", " "),
    ("collect.paper.path", ""),
    ("collect.paper.path", None),
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
    ("curate.detector", "eyes"),
    ("curate.min_kept", 0),
    ("curate.criteria.min_side", 0),
    ("curate.criteria.min_area", 1.5),
    ("curate.criteria.min_sharpness", -0.1),
    ("curate.criteria.min_inside", 2),
    ("curate.criteria.max_background", -1),
    ("curate.criteria.min_anatomy", "clear"),
    ("curate.criteria.min_hands", 1.1),
    ("curate.criteria.min_distance", 65),
    ("curate.criteria", None),
    ("curate.photographs.networks", ""),
    ("curate.rtdetr.person_revision", "main"),
    ("curate.rtdetr.pose_model", ""),
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
    assert leaf in found, f"{key} is no parameter: mend the table"
    found[leaf] = value
    return raw


def test_there_are_sixty() -> None:
    assert len(WRONG) >= 60


@pytest.mark.parametrize(("key", "value"), WRONG, ids=lambda part: str(part)[:30])
def test_a_wrong_value_is_named(raw_params: dict[str, Any], key: str, value: object) -> None:
    with pytest.raises(ValueError) as refused:
        resolve(with_value(raw_params, key, value))
    sentence = str(refused.value)
    shown = repr(value[0]) if isinstance(value, list) and value else repr(value)
    # Of a mapping, the entry that is wrong is enough.
    parts = [part for pair in value.items() for part in pair] if isinstance(value, dict) else []
    assert key in sentence and any(each in sentence for each in (shown, *map(repr, parts))), sentence
    assert len(sentence.splitlines()) == 1 and "\n" not in sentence
    assert len(sentence) > len(f"{key} = {shown}: ") + 5, f"it does not say what is right: {sentence}"


def test_resolve_refuses_in_under_three_seconds(raw_params: dict[str, Any], tmp_path: Path, table: list[Row]) -> None:
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(with_value(raw_params, "train.rank", 0)))
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "stages.resolve"],
        cwd=tmp_path,
        env=environment() | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert time.monotonic() - began < 3
    assert not (tmp_path / "params.resolved.yaml").exists()
    table.append(Row("resolve", f"{len(WRONG)} wrong values, one at a time", len(WRONG), 0, done.stderr.strip()))
