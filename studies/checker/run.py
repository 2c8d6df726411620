"""How often does the checker of drawn people err? `make checker`.

It judges people whose anatomy is known because they were drawn so (`drawings`), as drawn and after a round trip through
the base's autoencoder, which every image of a model has come out of. The checker was developed on the seeds from 810000
on; the seeds of this table were drawn once it was finished. Rows of `results.csv` that are there are kept, so an
interrupted call continues where it stopped; after a change of the checker, `--again` makes all rows anew.

A person's anomaly counts as found if the checker reports any anomaly, and as named if it reports this one. `regions`
is the checker as it was before it knew fused limbs: it counts connected regions.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm import tqdm

from anomend.miniature.anatomy import Anatomy, check, check_regions
from anomend.statistics.rate import Rate
from studies.checker import drawings
from studies.checker.drawings import KINDS, RIGHT, anomaly_of, draw

FOLDER = Path("studies/checker")
TABLE = FOLDER / "results.csv"
VAE = Path("models/mini/vae")
FIRST_SEED = 910_000
RIGHT_PEOPLE, ANOMALOUS_PEOPLE = 4000, 1000
"""How many people of the kind `right`, and of each other kind."""
DRAWN, DECODED = "drawn", "decoded"
CHECKERS: dict[str, Callable[[NDArray[np.uint8]], Anatomy]] = {"ends": check, "regions": check_regions}

Images = NDArray[np.uint8]
"""RGB, shape (n, 64, 64, 3)."""


def decoded(images: Images) -> Images:
    """The images after a round trip through the base's autoencoder."""
    import torch

    from studies.pretraining.autoencoder import round_trip

    return round_trip(_autoencoder(), torch.from_numpy(images)).numpy()


@cache
def _autoencoder() -> Any:
    import torch
    from diffusers import AutoencoderKL

    return AutoencoderKL.from_pretrained(VAE, torch_dtype=torch.float32).eval()


def score(images: Sequence[NDArray[np.uint8]] | Images, kind: str) -> list[dict[str, Any]]:
    """What each checker says about images of one kind: one row per checker.

    Returns:
        `n`; `correct`, which is the number found to be without anomaly for right people, and with any for others;
        `named`, the number of which this anomaly was reported; the share that is correct with its 95% Wilson interval.
    """
    rows = []
    for name, look in CHECKERS.items():
        anomalies = [look(image).anomalies for image in images]
        share = Rate.of(sum(bool(each) == (kind != RIGHT) for each in anomalies), len(anomalies))
        rows.append(
            {
                "kind": kind,
                "checker": name,
                "n": share.n,
                "correct": share.k,
                "share": share.value,
                "ci_low": share.ci_low,
                "ci_high": share.ci_high,
                "named": None if kind == RIGHT else sum(anomaly_of(kind) in each for each in anomalies),
            }
        )
    return rows


def rows_of(kind: str, *, first_seed: int, count: int) -> Iterator[dict[str, Any]]:
    """The rows of one kind, of the images as drawn and decoded."""
    seeds = range(first_seed, first_seed + count)
    images = np.stack([draw(kind, seed) for seed in tqdm(seeds, desc=kind, unit="image")])
    for state, seen in ((DRAWN, images), (DECODED, decoded(images))):
        for row in score(seen, kind):
            yield {"images": state, "first_seed": first_seed, **row}


def write_tables(rows: pd.DataFrame) -> None:
    """The table as CSV in full and as Markdown for reading."""
    rows.to_csv(TABLE, index=False, lineterminator="\n")
    (FOLDER / "checker.md").write_text(page(rows))


def page(rows: pd.DataFrame) -> str:
    """The table for reading: shares that are correct, cut off (never rounded up) after a tenth of a percent."""
    head = ["kind", "drawn", "decoded", "drawn, by regions", "decoded, by regions", "named, drawn", "named, decoded"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for kind in [kind for kind in KINDS if kind in set(rows["kind"])]:
        of_kind = {(row.images, row.checker): row for row in rows[rows["kind"] == kind].itertuples(index=False)}
        cells = [_share(of_kind[state, checker]) for checker in CHECKERS for state in (DRAWN, DECODED)]
        named = [of_kind[state, "ends"] for state in (DRAWN, DECODED)]
        cells += ["" if kind == RIGHT else f"{row.named:.0f} of {row.n}" for row in named]
        lines.append(f"| {kind} | " + " | ".join(cells) + " |")
    title = "# How often the checker of drawn people errs"
    how = (__doc__ or "").partition("\n\n")[2].strip()
    note = (
        "Written by `make checker`; `results.csv` has all digits and the intervals. Shares are of people that are"
        " judged correctly: right ones without an anomaly, others with one. Digits are cut off, not rounded."
    )
    drawn = (drawings.__doc__ or "").partition("\n\n")[2].strip()
    kinds = (
        "`fused`: a third limb from the root of a neighbour, 25 to 75 degrees away from it; `forked`: a limb with two"
        " lower halves; `moved`: as `fused`, with both ends on one side, and the limb of the other side is missing."
        f" Their ends are {drawings.CLEAR} limb widths or more from the middle of the next limb, so that a gap of about"
        " a pixel shows. Limbs that lie on each other up to their ends are not among them: the checker takes them for"
        " one. Nor are limbs of wrong length or with a wrong bend, which it does not judge."
    )
    return "\n".join([title, "", note, "", *lines, "", drawn, "", kinds, "", how, ""])


def _share(row: Any) -> str:
    return f"{row.correct * 1000 // row.n / 10:.1f}% ({row.correct} of {row.n})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--again", action="store_true", help="make all rows anew")
    options = parser.parse_args()
    table = pd.read_csv(TABLE) if TABLE.exists() and not options.again else pd.DataFrame()
    for kind in KINDS:
        if not table.empty and (table["kind"] == kind).any():
            continue
        count = RIGHT_PEOPLE if kind == RIGHT else ANOMALOUS_PEOPLE
        rows = pd.DataFrame(rows_of(kind, first_seed=FIRST_SEED, count=count))
        table = pd.concat([table, rows], ignore_index=True)
        write_tables(table)
    print(table.to_string(index=False))


if __name__ == "__main__":
    main()
