"""Confirmations: a verdict at seeds that nothing has looked at, by a record that is committed before it runs.

Whoever looks at the everyday seeds often enough finds a recipe that passes there by luck. So a correction is confirmed
on a range of seeds of its own. Its record names the LoRA, the prompts, the thresholds and the seeds beforehand. The
same record may be computed again; another LoRA or threshold on these seeds is refused. A further attempt takes fresh
seeds and less error: the k-th attempt may err in 1 / 2^k of what one verdict may, so all together stay below that.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from anomend.params.params import Params

RESERVED = 1_000_000_000
"""Seeds from here on are for confirmations alone."""
RANGE = 10_000
"""Seeds of one confirmation, at most."""
COMMAND = "`make confirm`"


class Record(BaseModel):
    """What a confirmation will compute; written and committed before it runs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    attempt: int = Field(ge=1)
    """1 for the first confirmation of this repository."""
    lora_sha256: str = Field(pattern="^[0-9a-f]{64}$")
    against_sha256: str | None = Field(None, pattern="^[0-9a-f]{64}$")
    """Of the LoRA that the base side is sampled with; None, and left out of the file: it is the base itself."""
    base: dict[str, Any]
    """The parameters of `base` that decide what is drawn."""
    prompts: dict[str, Any]
    sample: dict[str, Any]
    """`sample`, with the seeds of this confirmation."""
    verdict: dict[str, Any]
    """The thresholds, with the level of this attempt."""
    detector: str

    @property
    def first_seed(self) -> int:
        """The first seed of this confirmation."""
        return int(self.sample["first_seed"])


def level_of(attempt: int, level: float) -> float:
    """The level of the k-th attempt, whose error is 1 / 2^k of that of `level`."""
    return round(1 - (1 - level) / 2**attempt, 9)


def first_seed_of(attempt: int) -> int:
    """The first seed of the k-th attempt."""
    return RESERVED + (attempt - 1) * RANGE


def new_record(params: Params, lora_sha256: str, attempt: int, against_sha256: str | None = None) -> Record:
    """The record of the next confirmation of this LoRA.

    Args:
        params: the parameters in force for the everyday run.
        lora_sha256: of the weights file.
        attempt: its number, from 1.
        against_sha256: of the LoRA that the base side is sampled with, if there is one.

    Raises:
        ValueError: it would take more seeds than a range has, or the tuned model is not one that can be confirmed.
    """
    refuse_unconfirmable(params)
    seeds = params.sample.most_seeds
    if seeds > RANGE:
        raise ValueError(f"a confirmation has at most {RANGE:,} seeds per prompt, and sample asks for {seeds:,}")
    level = level_of(attempt, params.verdict.level)
    sample = {"first_seed": first_seed_of(attempt)}
    return Record(
        attempt=attempt,
        lora_sha256=lora_sha256,
        against_sha256=against_sha256,
        **_settings(params, sample=sample, verdict={"level": level}),
    )


def read_records(folder: Path) -> list[Record]:
    """All records, by attempt.

    Raises:
        ValueError: one is broken, or attempts are missing: none may be deleted, since their number splits the error.
    """
    records = []
    for path in sorted(folder.glob("*.json")):
        try:
            records.append(Record.model_validate_json(path.read_bytes()))
        except ValidationError as error:
            place = ".".join(map(str, error.errors()[0]["loc"]))
            raise ValueError(f"{path} is no record of a confirmation ({place}): restore it from git") from None
    if [record.attempt for record in records] != list(range(1, len(records) + 1)):
        raise ValueError(f"{folder} lacks a record, or has one twice: restore it from git, for attempts are counted")
    return records


def path_of(folder: Path, attempt: int) -> Path:
    """The file of a record."""
    return folder / f"{attempt:03}.json"


def record_as_text(record: Record) -> str:
    """The record as its file has it."""
    content = {key: value for key, value in record.model_dump().items() if value is not None}
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def record_in_force(params: Params, folder: Path) -> Record | None:
    """The record whose seeds these parameters sample; None for everyday seeds.

    Raises:
        ValueError: the seeds are reserved and no committed record names them, the parameters are not the record's, or
            images for training or watching are drawn at reserved seeds.
    """
    for parameter, seeds in params.seed_ranges().items():
        if seeds and seeds.stop > RESERVED and parameter != "sample.first_seed":
            raise ValueError(
                f"{parameter} = {seeds.start} reaches into the seeds from {RESERVED} on, which are for confirmations"
                " alone: choose smaller ones"
            )
    first = params.sample.first_seed
    if params.seed_ranges()["sample.first_seed"].stop <= RESERVED:
        return None
    refuse_unconfirmable(params)
    record = next((each for each in read_records(folder) if each.first_seed == first), None)
    if record is None:
        raise ValueError(
            f"sample.first_seed = {first}: the seeds from {RESERVED} on are for confirmations alone, and no record in"
            f" {folder} names these; {COMMAND} writes one"
        )
    path = path_of(folder, record.attempt)
    if not _is_committed(path):
        raise ValueError(f"{path} is not committed as it is: a confirmation's record is committed before it runs")
    for section, values in _settings(params).items():
        if values != getattr(record, section):
            raise ValueError(_difference(section, values, getattr(record, section), path))
    return record


def is_of(record: Record, params: Params) -> bool:
    """Whether a confirmation is of what these parameters decide by at everyday seeds: prompts, thresholds, detector.

    Its seeds and its level are its own.
    """
    own = {
        "sample": {"first_seed": record.first_seed},
        "verdict": {"level": record.verdict["level"]},
    }
    return all(values == getattr(record, section) for section, values in _settings(params, **own).items())


def refuse_another_lora(record: Record | None, lora_sha256: str, model: str = "tuned") -> None:
    """A range of seeds is for the LoRA that its record names.

    Args:
        record: in force; None: the seeds are everyday ones.
        lora_sha256: of the weights.
        model: whose LoRA it is, `tuned` or `base`.

    Raises:
        ValueError: it is another one.
    """
    if record is None:
        return
    recorded = record.lora_sha256 if model == "tuned" else record.against_sha256
    if recorded != lora_sha256:
        about = f"of the LoRA {recorded[:12]}" if recorded else "against the base itself"
        raise ValueError(
            f"confirmation {record.attempt} is {about}, and this one is"
            f" {lora_sha256[:12]}: another LoRA takes a confirmation of its own ({COMMAND})"
        )


def refuse_unconfirmable(params: Params) -> None:
    """A confirmation is of one LoRA, and of images at its own seeds."""
    if not params.train.has_lora:
        raise ValueError("train.method = 'none' trains no LoRA, and a confirmation is of one: choose another method")
    if params.sample.tuned.best_of.n is not None:
        raise ValueError(
            "sample.tuned.best_of draws from seeds of its own, which everyday runs have seen, so it cannot be "
            "confirmed: set sample.tuned.best_of.n to none"
        )


def _settings(params: Params, **changes: dict[str, Any]) -> dict[str, Any]:
    """What a record fixes, with changes by section."""
    results = params.model_dump(mode="json")
    decides = ("first_seed", "target_seeds_per_prompt", "held_out_seeds_per_prompt", "steps", "guidance_scale")
    tuned = {"tuned": results["sample"]["tuned"]} if params.sample.tuned.in_use else {}
    if params.sample.against.in_use:
        tuned["against"] = results["sample"]["against"]
    settings = {
        "base": {name: results["base"][name] for name in ("name", "resolution", "dtype", "quantise", "t5_8bit")},
        # Records from before there were siblings do not name any.
        "prompts": {name: texts for name, texts in results["prompts"].items() if texts},
        "sample": {name: results["sample"][name] for name in decides} | tuned,
        "verdict": results["verdict"],
        "detector": results["measure"]["detector"],
    }
    for section, values in changes.items():
        settings[section] = settings[section] | values
    return settings


def _difference(section: str, values: Any, recorded: Any, path: Path) -> str:
    advice = f"a confirmation with other settings takes a record of its own ({COMMAND})"
    if not isinstance(values, dict):
        return f"measure.{section} = {values!r} where {path} names {recorded!r}: {advice}"
    name = next(name for name in {**values, **recorded} if values.get(name) != recorded.get(name))
    return f"{section}.{name} = {values.get(name)!r} where {path} names {recorded.get(name)!r}: {advice}"


def _is_committed(path: Path) -> bool:
    """Whether HEAD has the file as it is; False in a copy without git, such as an archive."""
    shown = subprocess.run(["git", "show", f"HEAD:./{path.name}"], cwd=path.parent, capture_output=True, check=False)
    return shown.returncode == 0 and shown.stdout == path.read_bytes()
