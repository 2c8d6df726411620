"""A folder ready for the Hugging Face hub: weights, for ComfyUI too, card, and what the licence asks for."""

from __future__ import annotations

import shutil
from pathlib import Path

from anomend.diffusion.lora import WEIGHT_NAME
from anomend.exporting.adapters import lora_file
from anomend.exporting.hub_card import FinishedRun, hub_card
from anomend.exporting.kohya_file import Origin, export_kohya
from anomend.exporting.licences import licence_of

COMFYUI_NAME, CARD_NAME, NOTICE_NAME, PICTURE_NAME = "comfyui.safetensors", "README.md", "NOTICE", "side_by_side.png"


def origin_of(run: FinishedRun) -> Origin:
    """What a file in kohya's layout says of the run."""
    base = run.params.base
    return Origin(base.name, run.base.licence, base.resolution, tuple(run.params.prompts.target))


def write_hub_folder(lora: Path, folder: Path, run: FinishedRun, picture: Path | None = None) -> list[str]:
    """Write the folder; what an earlier export left there and this one does not write is removed.

    Args:
        lora: folder of the LoRA, as stage `train` leaves it.
        folder: where to; it is made.
        run: what the card tells of.
        picture: base and tuned samples of the run, side by side; None: none.

    Returns:
        What is still to do before an upload, in sentences.

    Raises:
        FileNotFoundError: no LoRA there.
    """
    source, left = lora_file(lora), []
    folder.mkdir(parents=True, exist_ok=True)
    for name in (COMFYUI_NAME, NOTICE_NAME, PICTURE_NAME):
        (folder / name).unlink(missing_ok=True)
    # The cache's files may be readable by their owner alone, and copyfile leaves the mode behind.
    shutil.copyfile(source, folder / WEIGHT_NAME)
    try:
        export_kohya(lora, folder / COMFYUI_NAME, origin_of(run))
    except ValueError as error:
        left.append(f"There is no {COMFYUI_NAME}: {error}.")
    if picture:
        shutil.copyfile(picture, folder / PICTURE_NAME)
    notice = licence_of(run.base.licence).notice
    if notice:
        (folder / NOTICE_NAME).write_text(notice, encoding="utf-8")
        left.append(f"Add a copy of the {run.base.licence} to {folder} before you upload it.")
    card = hub_card(run, COMFYUI_NAME if (folder / COMFYUI_NAME).exists() else None, PICTURE_NAME if picture else None)
    (folder / CARD_NAME).write_text(card, encoding="utf-8")
    return left
