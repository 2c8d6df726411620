"""What the confirmations of a project found, in sentences."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from anomend.confirming.records import Record, is_of, read_records
from anomend.params.params import Params
from anomend.reporting.clauses import bound_text
from anomend.reporting.formatting import number_text
from anomend.verdict.clauses import confidence_text


def all_confirmations(folder: Path, lora_sha256: str) -> list[str]:
    """A sentence for every confirmation that was recorded, whether or not it was computed.

    Args:
        folder: the confirmations, as `make confirm` writes them.
        lora_sha256: the LoRA that is reported; empty where there is none.

    Raises:
        ValueError: a record is broken, or one is missing.
    """
    sentences = []
    for record in read_records(folder):
        other = f"another LoRA, {record.lora_sha256[:12]}"
        which = "this LoRA" if record.lora_sha256 == lora_sha256 else other
        about = f"of {which}, at the level {record.verdict['level']:g}"
        sentences.append(f"Confirmation {record.attempt} {about}: {_outcome(folder, record)}.")
    return sentences


def everyday_sentence(folder: Path, lora_sha256: str, params: Params) -> str:
    """What an everyday run is, with the confirmations of its LoRA, or which attempt its first one would be.

    Args:
        folder: the confirmations.
        lora_sha256: the run's LoRA; empty where there is none.
        params: the run's parameters.

    Raises:
        ValueError: a record is broken, or one is missing.
    """
    everyday, records = "Exploratory: its seeds are those of everyday runs", read_records(folder)
    own = [record for record in records if record.lora_sha256 == lora_sha256]
    if not own:
        attempt = f", as attempt {len(records) + 1}" if records else ""
        return f"{everyday}; a confirmation (make confirm) takes fresh ones{attempt}."
    told = []
    for record in own:
        other = "" if is_of(record, params) else ", with other prompts, thresholds or settings"
        told.append(f"This LoRA at fresh seeds (attempt {record.attempt}{other}): {_outcome(folder, record)}.")
    return f"{everyday}. {' '.join(told)}"


def _outcome(folder: Path, record: Record) -> str:
    """A confirmation's verdict, with the tuned model's rate on the target prompts."""
    path = folder / f"{record.attempt:03}" / "verdict.json"
    if not path.is_file():
        return "not computed yet"
    verdict: Mapping[str, Any] = json.loads(path.read_text())
    outcome, rate = verdict["verdict"].replace("_", " "), verdict.get("clauses", {}).get("target_rate") or {}
    if rate.get("figure") is None:
        return outcome
    confidence = confidence_text(rate.get("confidence", record.verdict["level"]))
    bound = f"{bound_text('target_rate', rate)} with {confidence} confidence"
    return f"{outcome}, {number_text(rate['figure'], 'rate')} wrong after ({bound})"
