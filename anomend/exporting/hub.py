"""A folder ready for the Hugging Face hub: weights, also for ComfyUI, card, and what the licence requires."""

from __future__ import annotations

import shutil
from pathlib import Path

from anomend.diffusion.lora import check_saved_lora
from anomend.diffusion.lora_folder import WEIGHT_NAME
from anomend.exporting.adapters import lora_file
from anomend.exporting.finished_run import FinishedRun
from anomend.exporting.hub_card import hub_card
from anomend.exporting.kohya_file import Origin, export_kohya
from anomend.exporting.licences import licence_of

COMFYUI_NAME, CARD_NAME, NOTICE_NAME, PICTURE_NAME = "comfyui.safetensors", "README.md", "NOTICE", "side_by_side.png"


def origin_of(run: FinishedRun) -> Origin:
    """What a file in kohya's layout says about the run."""
    return Origin(
        base=run.params.base.name,
        licence=run.base.licence,
        resolution=run.params.base.resolution,
        prompts=tuple(run.params.prompts.target),
    )


def write_hub_folder(lora: Path, folder: Path, run: FinishedRun, *, picture: Path | None = None) -> list[str]:
    """Write the folder; files of an earlier export that this one does not write are deleted.

    Args:
        lora: folder of the LoRA, as stage `train` leaves it.
        folder: the folder to write; it is made.
        run: the run that the card is about.
        picture: base and tuned samples of the run, side by side; None: no picture.

    Returns:
        What the user must still do before an upload, in sentences.

    Raises:
        FileNotFoundError: there is no LoRA in `lora`.
        ValueError: it is broken, or not finite; nothing is written.
    """
    source, to_do = lora_file(lora), []
    check_saved_lora(source)
    folder.mkdir(parents=True, exist_ok=True)
    for name in (COMFYUI_NAME, NOTICE_NAME, PICTURE_NAME):
        (folder / name).unlink(missing_ok=True)
    # The cache's files may be readable by their owner alone; copyfile does not copy the mode.
    shutil.copyfile(source, folder / WEIGHT_NAME)
    try:
        export_kohya(lora, folder / COMFYUI_NAME, origin_of(run))
    except ValueError as error:
        to_do.append(f"There is no {COMFYUI_NAME}: {error}.")
    if picture:
        shutil.copyfile(picture, folder / PICTURE_NAME)
    notice = licence_of(run.base.licence).notice
    if notice:
        (folder / NOTICE_NAME).write_text(notice, encoding="utf-8")
        to_do.append(f"Add a copy of the {run.base.licence} to {folder} before you upload it.")
    card = hub_card(run, COMFYUI_NAME if (folder / COMFYUI_NAME).exists() else None, PICTURE_NAME if picture else None)
    (folder / CARD_NAME).write_text(card, encoding="utf-8")
    return to_do
