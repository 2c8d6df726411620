"""Export the trained LoRA for ComfyUI, sd-scripts and the Hugging Face hub: `python -m commands.export_lora --help`.

It reads the results of `dvc repro` or `dvc pull`, and is not a stage.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from anomend.diffusion.lora_origin import read_origin
from anomend.exporting.adapters import lora_file
from anomend.exporting.finished_run import FinishedRun, checked_picture, read_finished_run
from anomend.exporting.hub import origin_of, write_hub_folder
from anomend.exporting.hub_card import hub_card
from anomend.exporting.kohya_file import export_kohya, import_kohya, refuse_other_family
from anomend.params.resolved import load_params
from anomend.project.files import write_whole
from anomend.project.paths import LORA, RESOLVED


def finished_run(lora: Path) -> FinishedRun:
    lora_file(lora)
    return read_finished_run(Path(), lora, load_params())


def refuse_no_lora(lora: Path) -> None:
    """A run that trained nothing has nothing to export, except a LoRA from elsewhere."""
    if lora == LORA and RESOLVED.is_file() and not load_params().train.has_lora:
        raise ValueError("train.method = 'none' trained no LoRA, so there is nothing to export: choose another method")


def refuse_foreign_card(lora: Path) -> None:
    """The card of somebody else's LoRA is theirs to write, with their licence."""
    if origin := read_origin(lora):
        raise ValueError(
            f"{lora} is {origin.words()}: --card and --hub-folder would publish it as this run's; quote "
            "report/report.md"
        )


def picture_of_the_run() -> Path | None:
    try:
        return checked_picture(Path())
    except (ValueError, FileNotFoundError) as error:
        print(f"export_lora: the card has no picture: {error}", file=sys.stderr)
        return None


def write_kohya(lora: Path, file: Path) -> None:
    """The file for ComfyUI and sd-scripts. For a LoRA without a finished run it does not name base and licence."""
    lora_file(lora)
    if lora == LORA and RESOLVED.is_file():
        refuse_other_family(load_params().base.name)
    try:
        origin = None if read_origin(lora) else origin_of(finished_run(lora))
    except (ValueError, FileNotFoundError) as error:
        print(f"export_lora: {file} will not name base and licence: {error}", file=sys.stderr)
        origin = None
    print(f"{file}: sha256 {export_kohya(lora, file, origin)}")


def refuse_outputs(lora: Path, written: Path) -> None:
    """Nothing is written into the LoRA's own folder: DVC would report it as changed."""
    if written.resolve().is_relative_to(lora.resolve()):
        raise ValueError(f"{written} is in {lora}, which is a DVC output: write elsewhere")


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m commands.export_lora", description=__doc__)
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the weights for ComfyUI and sd-scripts")
    parser.add_argument("--card", type=Path, metavar="FILE", help="write the model card with the run's results")
    parser.add_argument("--hub-folder", type=Path, metavar="DIR", help="write weights and card, ready to upload")
    parser.add_argument("--lora", type=Path, default=LORA, metavar="DIR", help="the LoRA (default: %(default)s)")
    parser.add_argument(
        "--from-kohya",
        type=Path,
        nargs=2,
        metavar=("FILE", "DIR"),
        help="the other way: write a LoRA of ComfyUI or sd-scripts as a folder for diffusers",
    )
    options = parser.parse_args(arguments)
    if not (options.out or options.card or options.hub_folder or options.from_kohya):
        parser.error("nothing to write: give --out, --card, --hub-folder or --from-kohya")
    return options


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    imported = options.from_kohya[1] if options.from_kohya else None
    for written in (options.out, options.card, options.hub_folder, imported):
        if written:
            refuse_outputs(options.lora, written)
    if imported:
        print(f"{imported}: {import_kohya(options.from_kohya[0], imported)} modules")
    if options.out or options.card or options.hub_folder:
        refuse_no_lora(options.lora)
    if options.card or options.hub_folder:
        refuse_foreign_card(options.lora)
    if options.out:
        write_kohya(options.lora, options.out)
    if options.card:
        write_whole(options.card, hub_card(finished_run(options.lora)))
        print(options.card)
    if options.hub_folder:
        run = finished_run(options.lora)
        to_do = write_hub_folder(options.lora, options.hub_folder, run, picture=picture_of_the_run())
        print(f"{options.hub_folder}: ready for `hf upload`", *to_do, sep="\n")


if __name__ == "__main__":
    try:
        main()
    except (ValueError, OSError) as error:
        print(f"export_lora: {error}", file=sys.stderr)
        sys.exit(1)
