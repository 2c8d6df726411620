"""Do intervals from people's labels hold the truth, and how wide are they? `make people-study`.

One prompt, whose base pictures are wrong in 70%. Raters err with known chances. First all pairs are labelled: the width
is that of the interval of the tuned rate over Wilson's interval of perfect raters of the same pictures. Then 64 of 256
pairs are labelled and a detector sees all: the width is that over the interval of people alone, of the same labels.
`width` is the mean over the runs, `widest` the largest of one run.
`narrowest` is the width below which no unbiased estimate gets on average in large samples (people_bound).

The cells are written one by one, so a run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm import tqdm

from anomend.people.estimates import estimate
from anomend.people.labelled_pairs import LabelledPairs, labelled_pairs_of
from anomend.project.files import write_whole
from anomend.project.seeding import numpy_generator
from anomend.statistics.corrected_labels import correct_labels
from anomend.statistics.dawid_skene import NOTHING, WRONG, fit_raters
from anomend.statistics.proportions import wilson_interval
from studies.experiments.people_bound import narrowest_width
from studies.experiments.people_runs import CREW, Labelling, predicted

Ints = NDArray[np.int_]
TABLE = Path("studies/experiments/people_intervals.csv")
BASE_RATE = 0.7


@dataclass(frozen=True)
class Cell:
    """One row of the table."""

    pairs: int
    tuned: float
    """True rate."""
    labelling: Labelling

    @property
    def name(self) -> tuple[int, float, str]:
        """What tells it from others."""
        return self.pairs, self.tuned, self.labelling.name


CREWS = (
    Labelling("3 raters (.05, .1, .2)", CREW, 3),
    Labelling("3 raters (.1, .1, .1)", (0.1,) * 3, 3),
    Labelling("5 raters (.2 each)", (0.2,) * 5, 5),
    Labelling("3 of 6 raters (.05 to .2) per picture", (0.05, 0.1, 0.15, 0.2, 0.1, 0.05), 3),
    Labelling("2 raters (.05, .1)", (0.05, 0.1), 2),
    Labelling("2 raters (.05, .1), 20 gold pictures", (0.05, 0.1), 2, gold=20),
)
HELPED = tuple(
    Labelling(f"64 of 256, detector {name}", CREW, 3, 0.25, base, tuned)
    for name, base, tuned in (
        ("(.9, .95)", (0.9, 0.95), (0.9, 0.95)),
        ("(.6, .7)", (0.6, 0.7), (0.6, 0.7)),
        ("(.9 on base, .5 on tuned, .95)", (0.9, 0.95), (0.5, 0.95)),
        ("at random", (0.5, 0.5), (0.5, 0.5)),
    )
)
CELLS = [
    *(Cell(256, tuned, one) for one in HELPED for tuned in (0.05, 0.15, 0.4)),
    *(Cell(pairs, tuned, crew) for pairs in (64, 256) for tuned in (0.05, 0.15, 0.4) for crew in CREWS),
]


def drawn(rng: np.random.Generator, cell: Cell) -> tuple[LabelledPairs, Ints]:
    """The pairs of one run, and which pictures are wrong, (n, 2)."""
    n, labelling = cell.pairs, cell.labelling
    wrong = (rng.random((n, 2)) < [BASE_RATE, cell.tuned]).astype(int)
    flat = wrong.T.reshape(-1)
    size = (2 * n, len(labelling.errors))
    says = flat[:, None] != (rng.random(size) < labelling.errors)
    asked = np.argsort(rng.random(size), axis=1) < labelling.per_picture
    asked &= np.tile(np.arange(n) < round(labelling.share * n), 2)[:, None]
    answers = np.where(asked, np.where(says, WRONG, NOTHING), -1)
    cells = np.repeat([0, 1], n)
    with_gold, of_cells, known = add_gold(rng, answers, cells, labelling)
    labels = correct_labels(answers, cells, fit_raters(with_gold, of_cells, known=known))
    prompts = np.array(["a prompt"] * n, dtype=object)
    machine = predicted(rng, wrong, labelling)
    return labelled_pairs_of(labels, np.arange(n), np.arange(n, 2 * n), prompts=prompts, machine=machine), wrong


def add_gold(rng: np.random.Generator, answers: Ints, cells: Ints, labelling: Labelling) -> tuple[Ints, Ints, Ints]:
    """Answers and cells of the pictures with those of the gold ones after them, and known classes (-1: unknown)."""
    gold = np.arange(labelling.gold) % 2
    says = gold[:, None] != (rng.random((labelling.gold, len(labelling.errors))) < labelling.errors)
    known = np.concatenate([np.full(len(answers), -1), gold])
    return np.concatenate([answers, np.where(says, WRONG, NOTHING)]), np.append(cells, 0 * gold), known


def simulate(cell: Cell, runs: int) -> dict[str, float]:
    """Coverage of the interval of the tuned rate and of the rise, and their widths over those of the comparison."""
    rng = numpy_generator("people's intervals", *map(str, cell.name))
    held, widths = np.zeros(2), np.zeros((runs, 2))
    for run in range(runs):
        pairs, wrong = drawn(rng, cell)
        found = estimate(pairs)
        assert found
        intervals = (found.pairs.interval(), found.pairs.rise_interval())
        truths = (cell.tuned, cell.tuned - BASE_RATE)
        held += [low <= truth <= high for (low, high), truth in zip(intervals, truths, strict=True)]
        if pairs.machine is None:
            low, high = wilson_interval(int(wrong[:, 1].sum()), cell.pairs)
            others = [(low, high), (np.nan, np.nan)]
        else:
            alone = estimate(replace(pairs, machine=None))
            assert alone
            others = [alone.pairs.interval(), alone.pairs.rise_interval()]
        widths[run] = [(b - a) / (d - c) for (a, b), (c, d) in zip(intervals, others, strict=True)]
    labelling = cell.labelling
    bound = np.nan
    if labelling.share == 1:
        bound = narrowest_width(
            BASE_RATE, cell.tuned, labelling.errors, labelling.per_picture, gold_per_pair=labelling.gold / cell.pairs
        )
    names = ("holds", "rise_holds", "width", "rise_width", "widest", "rise_widest", "narrowest")
    values = [*held / runs, *widths.mean(axis=0), *widths.max(axis=0), bound]
    return dict(zip(names, map(float, values), strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=1000, help="simulations per cell")
    parser.add_argument("--table", type=Path, default=TABLE, help="where cells are written")
    runs, path = (chosen := parser.parse_args()).runs, chosen.table
    done: list[dict[Any, Any]] = pd.read_csv(path).to_dict("records") if path.exists() else []
    known = {(row["pairs"], row["tuned"], row["labels"]) for row in done}
    for cell in tqdm([cell for cell in CELLS if cell.name not in known], desc="cells"):
        named = {"pairs": cell.pairs, "tuned": cell.tuned, "labels": cell.labelling.name}
        done.append(named | simulate(cell, runs) | {"simulations": runs})
        write_whole(path, pd.DataFrame(done).to_csv(index=False))


if __name__ == "__main__":
    main()
