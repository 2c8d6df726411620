"""Write this run's images for other trainers, with configurations of SimpleTuner and ai-toolkit: `make export-data`.

`python -m commands.export_data FOLDER` writes pictures with captions, pairs if the run has losers, and the
configurations. Train elsewhere, and come back for the verdict with `train.method: external` (docs/elsewhere.md).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import yaml

from anomend.exporting.trainer_configs import ai_toolkit, differences, refuse_unexportable, simpletuner
from anomend.exporting.trainer_data import write_pictures
from anomend.params.resolved import load_params
from anomend.project.files import write_whole
from anomend.project.paths import CLASS_IMAGES, INSTANCE, LOSERS


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m commands.export_data", description=__doc__)
    parser.add_argument("folder", type=Path, help="where to write; made if needed")
    folder = parser.parse_args(arguments).folder.resolve()
    params = load_params()
    refuse_unexportable(params)
    counts = write_pictures(folder, instance=INSTANCE, class_images=CLASS_IMAGES, losers=LOSERS)
    config, backends = simpletuner(params, counts, folder)
    for name, content in (("config.json", config), ("multidatabackend.json", backends)):
        write_whole(folder / "simpletuner" / name, json.dumps(content, indent=2, ensure_ascii=False) + "\n")
    text = yaml.safe_dump(ai_toolkit(params, counts, folder), sort_keys=False, allow_unicode=True)
    write_whole(folder / "ai-toolkit" / "config.yaml", text)
    print(f"{folder}: {counts.instance} instance images, {counts.class_images} class images, {counts.pairs} pairs")
    print("What the configurations cannot carry:")
    print(*(f"- {sentence}" for sentence in differences(params, counts)), sep="\n")


if __name__ == "__main__":
    try:
        main()
    except (ValueError, OSError) as error:
        print(f"export_data: {error}", file=sys.stderr)
        sys.exit(1)
