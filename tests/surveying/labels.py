"""A small design of labels as it is built, for tests of its page and server."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from anomend.labelling.design import design_table
from anomend.params.labels import LabelParams
from anomend.surveying.desks import LabelDesk
from anomend.surveying.key import LabelKey
from anomend.surveying.labels import build_labels
from tests.surveying.conftest import picture

SIZE = 512


def label_params(**changes: Any) -> LabelParams:
    values: dict[str, Any] = {
        "labels": "data/labels",
        "gold": None,
        "pairs_per_prompt": 3,
        "held_out_pairs_per_prompt": 0,
        "raters": 3,
        "raters_per_picture": 2,
        "repeats": 1,
        "seed": 5,
        "languages": ["en", "de", "ko"],
        "max_failed_gold": 1,
        "min_median_ms": 600,
    }
    return LabelParams.model_validate(values | changes)


@dataclass(frozen=True)
class Labels:
    """A built page, its key, its design, and an empty folder for answers."""

    site: Path
    key: LabelKey
    design: pd.DataFrame
    journals: Path

    @property
    def desk(self) -> LabelDesk:
        return LabelDesk(self.key, self.journals)


def build_label_page(folder: Path, pairs: int = 3, **changes: Any) -> Labels:
    """Pairs of drawn people, scaled up to 512 px, and one gold picture of which something is wrong."""
    rows = []
    for seed in range(pairs):
        row: dict[str, Any] = {"prompt": "lying on the grass", "seed": seed}
        for model in ("base", "tuned"):
            path = folder / "samples" / model / f"{seed}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            small = Image.fromarray(picture("", seed, model).pixels)
            small.resize((SIZE, SIZE), Image.Resampling.NEAREST).save(path)
            row[f"path_{model}"] = path
        rows.append(row)
    gold = folder / "gold.png"
    Image.fromarray(np.full((SIZE, SIZE, 3), 200, np.uint8)).save(gold)
    params = label_params(**changes)
    design = design_table(pd.DataFrame(rows), group="target", showings=params.raters_per_picture)
    site = folder / "labelling"
    key = build_labels(design, {gold: "wrong"}, params, site=site)
    return Labels(site, key, design, folder / "answers")
