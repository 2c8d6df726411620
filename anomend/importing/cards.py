"""The README beside a LoRA of another program, or where there is none; it imports nothing heavy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from anomend.diffusion.lora_origin import ORIGIN, LoraOrigin
from anomend.project.files import write_whole

WEIGHTS = "*.safetensors"
CARD = "README.md"
NOTHING_AGAINST = """# No LoRA

`sample.against` names none: the tuned model of this run is held against the base itself.
"""


def no_lora(folder: Path, card: str) -> dict[str, Any]:
    """Leave a folder with a card alone, and return the metrics of no LoRA.

    Args:
        folder: it is made; weights of an earlier run are deleted.
        card: the text of its README.
    """
    remove_lora(folder)
    write_whole(folder / CARD, card)
    return {"lora_sha256": None, "reason": "sample.against.file is null: the base side has no LoRA"}


def remove_lora(folder: Path) -> None:
    """Delete the weights that an earlier run left in a folder, and whose they were; the folder is made."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in [*folder.glob(WEIGHTS), folder / ORIGIN]:
        path.unlink(missing_ok=True)


def external_card(origin: LoraOrigin, base: str) -> str:
    """The card of a LoRA of another program, in diffusers' layout."""
    where = origin.source or "not said"
    ranks = f"{origin.rank_min}" if origin.rank_min == origin.rank_max else f"{origin.rank_min} to {origin.rank_max}"
    return f"""# The LoRA of {origin.author}

Another program trained it; it was only converted here, to be sampled from base {base}.

| | |
| --- | --- |
| Author | {origin.author} |
| Source | {where} |
| File | {origin.file} |
| SHA-256 of that file | {origin.file_sha256} |
| Its layout | {origin.layout} |
| Modules, rank | {origin.modules}, {ranks} |

Its licence is its author's.
"""
