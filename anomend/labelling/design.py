"""The design of the labels: which pictures are drawn, as a table that everything later refers to."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from anomend.project.files import sha256_of, write_whole
from anomend.project.slugs import slug

DESIGN_COLUMNS = ("picture", "model", "group", "prompt", "seed", "path", "pair", "showings")
"""picture: SHA-256 of the file; model: base | tuned; group: target | held_out | siblings, or scan; path: of the sample;
pair: the same for the base and the tuned picture of one prompt and seed, or for two of a scan; showings: raters who are
to see it."""


def design_table(drawn: pd.DataFrame, *, group: str, showings: int) -> pd.DataFrame:
    """The rows of drawn pairs.

    Args:
        drawn: the pairs: columns prompt, seed, path_base, path_tuned.
        group: target | held_out | siblings.
        showings: raters who are to see each picture.

    Returns:
        The columns `DESIGN_COLUMNS`, two rows per pair, base before tuned.
    """
    columns = (drawn["prompt"], drawn["seed"], drawn["path_base"], drawn["path_tuned"])
    rows = [
        {
            "picture": sha256_of(Path(path)),
            "model": model,
            "group": group,
            "prompt": prompt,
            "seed": seed,
            "path": Path(path).as_posix(),
            "pair": f"{slug(str(prompt))}-{seed}",
            "showings": showings,
        }
        for prompt, seed, *paths in zip(*columns, strict=True)
        for model, path in zip(("base", "tuned"), paths, strict=True)
    ]
    return pd.DataFrame(rows, columns=list(DESIGN_COLUMNS))


def write_design(path: Path, design: pd.DataFrame) -> None:
    """Write the table as CSV."""
    write_whole(path, design[list(DESIGN_COLUMNS)].to_csv(index=False, lineterminator="\n"))


def read_design(path: Path) -> pd.DataFrame:
    """Read the table.

    Raises:
        ValueError: the file is missing.
    """
    if not path.exists():
        raise ValueError(f"{path} is missing: run `dvc repro label`")
    text = dict.fromkeys(("picture", "model", "group", "prompt", "path", "pair"), str)
    return pd.read_csv(path, dtype=text, keep_default_na=False)
