"""The labels' page, built from a design."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from anomend.labelling.design import write_design
from anomend.labelling.gold import read_gold
from anomend.labelling.plans import Gold, PicturePair, plans
from anomend.labelling.texts import read_texts
from anomend.params.labels import LabelParams
from anomend.project.checkouts import found
from anomend.project.files import sha256_of
from anomend.surveying.key import LabelKey, write_key
from anomend.surveying.label_site import build_label_site


def build_labels(design: pd.DataFrame, gold: Mapping[Path, Gold], params: LabelParams, *, site: Path) -> LabelKey:
    """Write the page, and return its key.

    Args:
        design: the columns of `anomend.labelling.design.DESIGN_COLUMNS`, the base's row of a pair before the tuned's;
            in a scan, two pictures of one prompt by the base.
        gold: known answers of gold pictures.
        params: raters, repeats, languages, seed.
        site: folder of the page; what is in it is replaced.

    Raises:
        ValueError: a rater's share is too small, or a gold picture is one of the drawn ones.
    """
    pairs = [(str(name), *rows["picture"]) for name, rows in design.groupby("pair", sort=False)]
    gold_files = {sha256_of(path): path for path in gold}
    shown = plans(
        [PicturePair(name=name, base=first, tuned=second) for name, first, second in pairs],
        raters=params.raters,
        raters_per_picture=params.raters_per_picture,
        repeats=params.repeats,
        gold={picture: gold[path] for picture, path in gold_files.items()},
        seed=params.seed,
    )
    files = dict(zip(design["picture"], map(Path, design["path"]), strict=True)) | gold_files
    return build_label_site(site, plans=shown, files=files, texts=read_texts(params.languages), seed=params.seed)


SCAN_PAGE, SCAN_KEY, SCAN_DESIGN = "page", "key.json", "design.csv"
"""In the folder of a scan's labels."""


def build_scan_labels(design: pd.DataFrame, params: LabelParams, folder: Path) -> None:
    """Write what people are to label for a scan: design, page and key; an empty folder where there is nothing to label.

    Args:
        design: as for `build_labels`; two pictures of one prompt are a pair.
        params: of the labels; a rater who has fewer than two pairs is left out.
        folder: is made.

    Raises:
        ValueError: a gold picture is one of the drawn ones.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if design.empty:
        return
    pairs = design["pair"].nunique()
    raters = max(params.raters_per_picture, min(params.raters, pairs * params.raters_per_picture // 2))
    gold = {} if params.gold is None else read_gold(found(params.gold))
    # Without the store's place on this machine.
    write_design(folder / SCAN_DESIGN, design.assign(path=[Path(path).name for path in design["path"]]))
    few = params.model_copy(update={"raters": raters})
    write_key(folder / SCAN_KEY, build_labels(design, gold, few, site=folder / SCAN_PAGE))
