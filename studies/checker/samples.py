"""Where the checkers disagree about sampled images: `python -m studies.checker.samples FOLDER ... > disagreements.csv`.

Each folder is an image set, such as data/samples/base. A row is an image on which the checker of today and the one that
counts connected regions say something else; look at these images to see which one is right.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from anomend.miniature.anatomy import check, check_regions
from anomend.pictures.image_sets import load_image, read_imagefolder


def disagreements(folders: Sequence[Path]) -> pd.DataFrame:
    """One row per image: `set`, `file_name`, `prompt`, `seed`, and the anomalies that `regions` and `ends` report."""
    rows = []
    for folder in folders:
        for image in read_imagefolder(folder).to_dict("records"):
            picture = load_image(image["path"])
            regions, ends = check_regions(picture).anomalies, check(picture).anomalies
            if regions != ends:
                what = {key: image.get(key) for key in ("file_name", "prompt", "seed")}
                said = {"regions": " ".join(regions), "ends": " ".join(ends)}
                rows.append({"set": folder.name, **what, **said})
    return pd.DataFrame(rows, columns=["set", "file_name", "prompt", "seed", "regions", "ends"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0] if __doc__ else None)
    parser.add_argument("folders", type=Path, nargs="+")
    disagreements(parser.parse_args().folders).to_csv(sys.stdout, index=False, lineterminator="\n")


if __name__ == "__main__":
    main()
