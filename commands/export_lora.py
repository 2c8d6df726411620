"""Command `python -m commands.export_lora`: the trained LoRA for ComfyUI, sd-scripts and the Hugging Face hub.

No stage of the pipeline: it reads what `dvc repro` or `dvc pull` left, and writes where it is told.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from anomend.diffusion.bases import BASE_MODELS
from anomend.diffusion.lora import lora_sha256
from anomend.exporting.adapters import lora_file
from anomend.exporting.hub import PICTURE_NAME, origin_of, write_hub_folder
from anomend.exporting.hub_card import FinishedRun, hub_card
from anomend.exporting.kohya_file import export_kohya, import_kohya
from anomend.exporting.run_record import PICTURE_LINKS, check_files, check_links, check_parameters
from anomend.params.resolved import load_params
from anomend.project.metric_files import METRICS, read_metrics
from anomend.project.paths import RESOLVED
from anomend.project.yaml_files import read_yaml

LORA, LOCK, PICTURE = Path("models/lora"), Path("dvc.lock"), Path("report") / PICTURE_NAME


def finished_run(lora: Path) -> FinishedRun:
    """The run that made the LoRA.

    Raises:
        FileNotFoundError, ValueError: something of it is missing, or belongs to another run.
    """
    lora_file(lora)
    lock = read_yaml(LOCK)
    check_files(lock, Path())
    check_parameters(lock, read_yaml(RESOLVED), ("train", "sample_base", "sample_tuned", "measure@tuned"))
    check_links(lock)
    train, params = read_metrics(METRICS / "train.json"), load_params()
    if train["lora_sha256"] != lora_sha256(lora):
        raise ValueError(f"{METRICS / 'train.json'} is about another LoRA than {lora}: run `dvc checkout`")
    images = [pd.read_csv(METRICS / "plots" / f"images_{model}.csv") for model in ("base", "tuned")]
    compare, verdict = (read_metrics(METRICS / f"{name}.json") for name in ("compare", "verdict"))
    return FinishedRun(
        params=params,
        base=BASE_MODELS[params.base.name],
        train=train,
        compare=compare,
        verdict=verdict,
        images_base=images[0],
        images_tuned=images[1],
    )


def picture_of_the_run() -> Path | None:
    """The report's picture of base and tuned samples, where it shows this run's."""
    try:
        lock = read_yaml(LOCK)
        check_links(lock, PICTURE_LINKS)
        check_files(lock, Path(), [("report", str(PICTURE))])
    except (ValueError, FileNotFoundError) as error:
        print(f"export_lora: the card goes without a picture: {error}", file=sys.stderr)
        return None
    return PICTURE


def write_kohya(lora: Path, file: Path) -> None:
    """The file for ComfyUI and sd-scripts; of a LoRA without a finished run it says only what it was made from."""
    lora_file(lora)
    try:
        origin = origin_of(finished_run(lora))
    except (ValueError, FileNotFoundError) as error:
        print(f"export_lora: {file} will not name base and licence: {error}", file=sys.stderr)
        origin = None
    print(f"{file}: sha256 {export_kohya(lora, file, origin)}")


def refuse_outputs(lora: Path, written: Path) -> None:
    """Nothing is written into the LoRA's own folder: DVC would call it changed."""
    if written.resolve().is_relative_to(lora.resolve()):
        raise ValueError(f"{written} lies in {lora}, which is a DVC output: write elsewhere")


def main(arguments: Sequence[str] | None = None) -> None:
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
        help="the other way: a LoRA of ComfyUI or sd-scripts as a folder for diffusers",
    )
    chosen = parser.parse_args(arguments)
    if not (chosen.out or chosen.card or chosen.hub_folder or chosen.from_kohya):
        parser.error("nothing to write: give --out, --card, --hub-folder or --from-kohya")
    imported = chosen.from_kohya[1] if chosen.from_kohya else None
    for written in (chosen.out, chosen.card, chosen.hub_folder, imported):
        if written:
            refuse_outputs(chosen.lora, written)
    if imported:
        print(f"{imported}: {import_kohya(chosen.from_kohya[0], imported)} modules")
    if chosen.out:
        write_kohya(chosen.lora, chosen.out)
    if chosen.card:
        card = hub_card(finished_run(chosen.lora))
        chosen.card.parent.mkdir(parents=True, exist_ok=True)
        chosen.card.write_text(card, encoding="utf-8")
        print(chosen.card)
    if chosen.hub_folder:
        left = write_hub_folder(chosen.lora, chosen.hub_folder, finished_run(chosen.lora), picture_of_the_run())
        print(f"{chosen.hub_folder}: ready for `hf upload`", *left, sep="\n")


if __name__ == "__main__":
    try:
        main()
    except (ValueError, OSError) as error:
        print(f"export_lora: {error}", file=sys.stderr)
        sys.exit(1)
