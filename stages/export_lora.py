"""Write models/lora for other programs (`--out`, the layout of ComfyUI and kohya) or for the hub (`--hub-folder`)."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from stages.exports.hub import export_hub_folder
from stages.exports.kohya_file import export_kohya
from stages.metric_files import METRICS, read_metrics


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lora", type=Path, default=Path("models/lora"), help="folder of the LoRA")
    wanted = parser.add_mutually_exclusive_group(required=True)
    wanted.add_argument("--out", type=Path, help="file to write, in the layout of ComfyUI and kohya")
    wanted.add_argument("--hub-folder", type=Path, help="folder to write: weights, and a card with this run's results")
    chosen = parser.parse_args()
    try:
        if chosen.out:
            print(f"{chosen.out}: sha256 {export_kohya(chosen.lora, chosen.out)}")
        else:
            compare, verdict = (read_metrics(METRICS / f"{name}.json") for name in ("compare", "verdict"))
            export_hub_folder(chosen.lora, chosen.hub_folder, compare, verdict)
            print(f"{chosen.hub_folder}: ready for `hf upload`")
    except (ValueError, OSError) as error:
        print(f"export_lora: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
