"""The run's images for other trainers: pictures with captions beside them, and pairs of a right and a wrong picture."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from anomend.pictures.image_sets import METADATA, read_imagefolder, rows_of
from anomend.project.files import copy

INSTANCE, CLASS, WINNERS, LOSERS = "instance", "class", "pairs/right", "pairs/wrong"
"""Folders of the export. A picture and its caption have one name, and the two of a pair have one as well."""


@dataclass(frozen=True, kw_only=True)
class Counts:
    """How many pictures were written."""

    instance: int
    class_images: int
    pairs: int


def write_pictures(folder: Path, *, instance: Path, class_images: Path, losers: Path) -> Counts:
    """Write the pictures of a run's image sets.

    Args:
        folder: what is written to; its own folders must be new or empty.
        instance: image set that the LoRA learns from.
        class_images: image set of the base's right images; may have none.
        losers: image set of the base's anomalous images; may have none.

    Raises:
        ValueError: there are no instance images, or a folder has files already.
    """
    for name in (INSTANCE, CLASS, WINNERS, LOSERS):
        if (folder / name).exists() and any((folder / name).iterdir()):
            raise ValueError(f"{folder / name} has files already: name a new folder, or delete it")
    right = read_imagefolder(instance).to_dict("records")
    counts = Counts(
        instance=_write(folder / INSTANCE, right),
        class_images=_write(folder / CLASS, _rows(class_images)),
        pairs=_write_pairs(folder, right, _rows(losers)),
    )
    return counts


def paired(right: list[dict[str, Any]], wrong: list[dict[str, Any]]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Each right image with a wrong one of its prompt: its own where an anomaly was planted in it, else in turn.

    Args:
        right: rows of instance images.
        wrong: rows of losers.

    Returns:
        Pairs; right images of a prompt that no wrong one has are left out.
    """
    pairs = []
    turns = {row["prompt"]: count() for row in wrong}
    for row in right:
        of_prompt = [each for each in wrong if each["prompt"] == row["prompt"]]
        own = [each for each in of_prompt if each.get("source") == "planted" and each.get("seed") == row.get("seed")]
        if own:
            pairs.append((row, own[0]))
        elif of_prompt and of_prompt[0].get("source") != "planted":
            pairs.append((row, of_prompt[next(turns[row["prompt"]]) % len(of_prompt)]))
    return pairs


def _rows(folder: Path) -> list[dict[str, Any]]:
    """The rows of an image set that may have none."""
    if not (folder / METADATA).is_file() or not rows_of(folder / METADATA):
        return []
    return read_imagefolder(folder).to_dict("records")  # type: ignore[return-value]


def _write(folder: Path, rows: list[Any]) -> int:
    for index, row in enumerate(rows):
        _write_picture(folder, f"{index:04d}", row)
    return len(rows)


def _write_pairs(folder: Path, right: list[Any], wrong: list[Any]) -> int:
    pairs = paired(right, wrong)
    for index, (winner, loser) in enumerate(pairs):
        _write_picture(folder / WINNERS, f"{index:04d}", winner)
        _write_picture(folder / LOSERS, f"{index:04d}", loser | {"text": winner["text"]})
    return len(pairs)


def _write_picture(folder: Path, name: str, row: dict[str, Any]) -> None:
    """A picture, and its caption in one line: some programs take each line of a caption for a caption of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    copy(row["path"], folder / f"{name}{row['path'].suffix}")
    (folder / f"{name}.txt").write_text(" ".join(str(row["text"]).split()) + "\n", encoding="utf-8")
