"""The labels' page, built from a design."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from anomend.labelling.plans import Gold, PicturePair, plans
from anomend.labelling.texts import read_texts
from anomend.params.labels import LabelParams
from anomend.project.files import sha256_of
from anomend.surveying.key import LabelKey
from anomend.surveying.label_site import build_label_site


def build_labels(design: pd.DataFrame, gold: Mapping[Path, Gold], params: LabelParams, *, site: Path) -> LabelKey:
    """Write the page, and return its key.

    Args:
        design: the columns of `anomend.labelling.design.DESIGN_COLUMNS`, the base's row of a pair before the tuned's.
        gold: known answers of gold pictures.
        params: raters, repeats, languages, seed.
        site: folder of the page; what is in it is replaced.

    Raises:
        ValueError: a rater's share is too small, or a gold picture is one of the drawn ones.
    """
    base, tuned = (design[design["model"] == model].set_index("pair")["picture"] for model in ("base", "tuned"))
    gold_files = {sha256_of(path): path for path in gold}
    shown = plans(
        [PicturePair(name=str(pair), base=base[pair], tuned=tuned[pair]) for pair in base.index],
        raters=params.raters,
        raters_per_picture=params.raters_per_picture,
        repeats=params.repeats,
        gold={picture: gold[path] for picture, path in gold_files.items()},
        seed=params.seed,
    )
    files = dict(zip(design["picture"], map(Path, design["path"]), strict=True)) | gold_files
    return build_label_site(site, plans=shown, files=files, texts=read_texts(params.languages), seed=params.seed)
