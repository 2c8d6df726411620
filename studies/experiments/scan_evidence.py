"""What does a scan cost where people judge, alone or with a detector, and is it right? `make scan-evidence`.

Prompts have known rates, the detector known errors, and people are right. Every run goes through the project's own
scan. People alone see four images of a prompt in a round and 64 at most; with a detector they see as many, each of them
one of 8 that were made. `labels` is the mean number of images that people see, fresh ones included. Rows are
written one by one, so a study that was stopped goes on where it was; delete the table to make it anew.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from anomend.project.files import write_whole
from anomend.project.seeding import numpy_generator
from anomend.scanning.chosen import ChosenPictures
from anomend.scanning.results import reported_rates
from anomend.scanning.rounds import Requests, Scanned, scan
from anomend.scanning.rules import Rules

TABLE = Path("studies/experiments/scan_evidence.csv")
RUNS = 100
FRESH = range(1_000_000_000, 1_000_000_024)
SEEDS_PER_RUN = 1000
WORLDS: dict[str, list[float]] = {
    "3 at .8, 9 at .05": [0.8] * 3 + [0.05] * 9,
    "3 at .5, 9 at .05": [0.5] * 3 + [0.05] * 9,
    "12 from .1 to .6": [float(rate) for rate in np.linspace(0.1, 0.6, 12)],
    "12 at .2, the limit": [0.2] * 12,
}


@dataclass(frozen=True)
class Machine:
    """A detector, and how many images it sees for each that people see."""

    name: str
    sensitivity: float
    specificity: float
    images_per_label: int = 8


PERFECT, BLIND = Machine("perfect", 1, 1), Machine("blind", 0, 1)
MACHINES = (
    None,
    PERFECT,
    Machine("sensitivity .9, specificity .95", 0.9, 0.95),
    Machine("sensitivity .6, specificity .7", 0.6, 0.7),
    BLIND,
    Machine("always the opposite", 0, 0),
)


def rules_of(machine: Machine | None) -> Rules:
    """Four labels of a prompt in a round, 64 at most."""
    each = machine.images_per_label if machine else 1
    return Rules(seeds_per_round=4 * each, most_seeds=64 * each, images_per_label=each)


def simulated_scan(
    rates: Mapping[str, float], machine: Machine | None, run: int, rules: Rules, unclear: float = 0.0
) -> Scanned:
    """One scan.

    Args:
        rates: of the prompts.
        machine: the detector; None: people alone see all images.
        run: number of the run, which has images of its own.
        rules: of the scan.
        unclear: share of images on which people differ.
    """
    first = run * SEEDS_PER_RUN
    drawn = {
        (prompt, start): numpy_generator("scan evidence", run, prompt, start).random((3, count))
        for prompt in rates
        for start, count in ((first, rules.most_seeds), (FRESH.start, len(FRESH)))
    }

    def draws(prompt: str, seed: int) -> tuple[float, float, float]:
        start = first if (prompt, first) in drawn and first <= seed < first + rules.most_seeds else FRESH.start
        wrong, other, detected = drawn[prompt, start][:, seed - start]
        return wrong, other, detected

    def said(prompt: str, seed: int) -> bool | None:
        wrong, other, _ = draws(prompt, seed)
        return None if other < unclear else bool(wrong < rates[prompt])

    def detected(prompt: str, seed: int) -> bool:
        assert machine
        wrong, _, detection = draws(prompt, seed)
        return bool(detection < (machine.sensitivity if wrong < rates[prompt] else 1 - machine.specificity))

    def each(requests: Requests) -> list[tuple[str, int]]:
        return [(prompt, seed) for prompt, seeds in requests for seed in seeds]

    if machine is None:
        return scan(
            list(rates), rules, lambda requests: {key: said(*key) for key in each(requests)},
            first_seed=first, fresh_seeds=FRESH,
        )  # fmt: skip
    chosen = ChosenPictures(
        detect=lambda requests: {key: detected(*key) for key in each(requests)},
        said_of=lambda keys: {key: said(*key) for key in keys},
        images_per_label=rules.images_per_label,
        focus=(rules.limit + rules.worth) / 2,
        fresh=FRESH,
    )
    return scan(list(rates), rules, chosen.find, first_seed=first, fresh_seeds=FRESH, weights=chosen.weights)


def row_of(world: str, machine: Machine | None, runs: int) -> dict[str, Any]:
    """One row of the table."""
    rates = {f"{place}": rate for place, rate in enumerate(WORLDS[world])}
    rules = rules_of(machine)
    labels, images, false, found, fine = [], [], 0, [], []
    covered: dict[bool, list[bool]] = {True: [], False: []}
    for run in range(runs):
        seen = simulated_scan(rates, machine, run, rules)
        tallies = [*seen.tallies.values(), *seen.fresh.values()]
        labels.append(sum(tally.n for tally in tallies))
        images.append(sum(tally.images for tally in tallies))
        false += any(rates[prompt] <= rules.limit for prompt in seen.found)
        found += [prompt in seen.found for prompt, rate in rates.items() if rate > rules.worth]
        fine += [seen.statuses[prompt] == "fine" for prompt, rate in rates.items() if rate >= rules.worth]
        for prompt, reported in reported_rates(seen, 1 - rules.error).items():
            covered[reported.fresh].append(reported.ci_low <= rates[prompt] <= reported.ci_high)
    return {
        "rates": world,
        "evidence": evidence_of(machine),
        "labels": float(np.mean(labels)),
        "images": float(np.mean(images)),
        "found": _mean(found),
        "called_fine": _mean(fine),
        "runs_with_false_discovery": false / runs,
        "fresh_rates_cover": _mean(covered[True]),
        "other_rates_cover": _mean(covered[False]),
        "runs": runs,
    }


def evidence_of(machine: Machine | None) -> str:
    """The name of a row's evidence."""
    return f"people+machine: {machine.name}" if machine else "people"


def _mean(flags: list[bool]) -> float | None:
    return float(np.mean(flags)) if flags else None


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=RUNS, help="runs per row")
    parser.add_argument("--table", type=Path, default=TABLE, help="where the table is written")
    chosen = parser.parse_args()
    rows = pd.read_csv(chosen.table).to_dict("records") if chosen.table.exists() else []
    done = {(row["rates"], row["evidence"], row["runs"]) for row in rows}
    cells = [(world, machine) for world in WORLDS for machine in MACHINES]
    for world, machine in tqdm(cells, desc="scans"):
        if (world, evidence_of(machine), chosen.runs) not in done:
            row: dict[Any, Any] = row_of(world, machine, chosen.runs)
            rows.append(row)
            write_whole(chosen.table, pd.DataFrame(rows).round(4).to_csv(index=False))
    print(pd.DataFrame(rows).to_string())


if __name__ == "__main__":
    main()
