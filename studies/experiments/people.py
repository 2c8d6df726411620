"""How often is the verdict right where people decide, and do their intervals hold the truth? `make people-study`.

Raters err with known chances; pictures, pairs and truths are those of the operating characteristics. Every run goes
through the project's own estimates and clauses. Diversity and copies are fine in every run, so that only what people
say can stop `corrected`. A rater who sees that a picture is wrong names the right kind in nine of ten cases; one who is
mistaken names any kind; kinds are simulated where the truth has a new one.

The cells are written one by one, so a run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from anomend.project.files import write_whole
from anomend.project.seeding import numpy_generator
from anomend.statistics.noisy_pairs import NoisyPairs
from anomend.statistics.proportions import wilson_interval
from anomend.verdict.claims import adjusted, claims, outcome_of
from anomend.verdict.clauses import settle
from anomend.verdict.evidence import Copies, Findings, Ratio
from studies.experiments.operating_characteristics import HELD_OUT_CORRELATION, TARGET_CORRELATION, cell_shares
from studies.experiments.people_runs import CREW, Labelling, simulated_run
from studies.experiments.truths import THRESHOLDS, Design, Truth

TABLE = Path("studies/experiments/people.csv")
LABELLINGS = (
    Labelling("3 raters (.05, .1, .2)", CREW, 3),
    Labelling("2 of 4 raters (.05 to .15) per picture", (0.05, 0.1, 0.1, 0.15), 2),
    Labelling("half, detector (.9, .95)", CREW, 3, 0.5, (0.9, 0.95), (0.9, 0.95)),
    Labelling("half, detector (.6, .7)", CREW, 3, 0.5, (0.6, 0.7), (0.6, 0.7)),
    Labelling("half, detector (.9 on base, .5 on tuned, .95)", CREW, 3, 0.5, (0.9, 0.95), (0.5, 0.95)),
)
DESIGNS = (Design(2, 32, 4, 32), Design(2, 128, 4, 64))
AT_LIMIT = {
    "target rate at .15": "target_rate",
    "drop of .30": "target_drop",
    "worst target prompt at .25": "worst_target_prompt",
    "new kind at +.08": "new_kinds",
    "held-out +.05": "held_out",
    "held-out +.15 for one": "worst_held_out_prompt",
}
"""By truth, the clause whose limit it is at."""
TRUTHS = (
    Truth("clearly good", tuned=0.03, held_out_base=0.02, new_kind=0.0),
    Truth("target rate at .15", tuned=0.15, new_kind=0.0),
    Truth("drop of .30", base=0.40, tuned=0.10, new_kind=0.0),
    Truth("worst target prompt at .25", tuned=0.04, worst_tuned=0.25, new_kind=0.0),
    Truth("new kind at +.08", tuned=0.08, new_kind=1.0),
    Truth("held-out +.05", tuned=0.03, held_out_rise=0.05, new_kind=0.0),
    Truth("held-out +.15 for one", tuned=0.03, worst_rise=0.15, new_kind=0.0),
    Truth("nothing changed", tuned=0.79, new_kind=0.0),
)


def simulate(truth: Truth, design: Design, labelling: Labelling, runs: int) -> dict[str, float]:
    """Shares of the outcomes, of target rates that the interval holds, and its width over that of perfect raters."""
    rng = numpy_generator("people", truth.name, str(design), labelling.name)
    rates = truth.tuned_rates(design.targets)
    of_target = [cell_shares(truth.base, rate, TARGET_CORRELATION) for rate in rates]
    of_held_out = [
        cell_shares(truth.held_out_base, truth.held_out_base + rise, HELD_OUT_CORRELATION)
        for rise in truth.held_out_rises(design.held_out)
    ]
    outcomes, held, widths, passes = Counter[str](), 0, [], 0
    for _ in range(runs):
        target, held_out, wrong = simulated_run(
            rng, of_target, of_held_out, design=design, labelling=labelling, new_kind=truth.new_kind
        )
        found = claims(
            Findings(
                target=target,
                held_out=held_out,
                ratio=Ratio(value=0.95, log_error=0.03, freedom=60),
                copies=Copies(k=0, n=256),
            ),
            THRESHOLDS,
        )
        p_fail = adjusted(found)
        outcomes[outcome_of(settle(claim, p_fail[name], 1 - THRESHOLDS.level) for name, claim in found.items())] += 1
        if claim := found.get(AT_LIMIT.get(truth.name, "")):
            passes += claim.tails is not None and claim.tails.beyond <= claim.error
        if isinstance(target.pairs, NoisyPairs):
            low, high = target.pairs.interval()
            held += low <= float(np.mean(rates)) <= high
            perfect_low, perfect_high = wilson_interval(int(wrong.sum()), len(wrong))
            widths.append((high - low) / (perfect_high - perfect_low))
    shares = {name: outcomes[name] / runs for name in ("corrected", "inconclusive", "not_corrected")}
    shares["clause_passes"] = passes / runs
    return shares | {"interval_holds": held / runs, "width": float(np.mean(widths))}


def page(table: pd.DataFrame) -> str:
    """The table for reading, with the largest errors first."""
    beyond = table["truth_ok"] != "yes"
    good = table["truth_ok"] == "yes"
    most = (
        "Largest share of runs in which a clause passes whose limit the truth is at: "
        f"{table['clause_passes'].max():.4f}. Largest share of `corrected` where the truth is not within all "
        f"thresholds: {table.loc[beyond, 'corrected'].max():.4f}. Largest share of `not_corrected` where it is: "
        f"{table.loc[good, 'not_corrected'].max():.4f}. Smallest share of intervals of the tuned target rate that hold "
        f"the truth: {table['interval_holds'].min():.4f}."
    )
    columns = ["design", "labels", "truth", "truth_ok", "corrected", "inconclusive", "not_corrected"]
    columns += ["clause_passes", "interval_holds", "width", "simulations"]
    lines = ["| " + " | ".join(column.replace("_", " ") for column in columns) + " |", "|---" * len(columns) + "|"]
    for row in table[columns].to_dict("records"):
        cells = [f"{value:.4f}" if isinstance(value, float) else str(value) for value in row.values()]
        lines.append("| " + " | ".join(cells) + " |")
    how = (__doc__ or "").partition("\n\n")[2].strip()
    note = (
        "Written by `make people-study`. `clause passes`: of the clause whose limit the truth is at. `width`:"
        " of the 95% interval of the tuned target rate, over Wilson's interval of"
        " perfect raters of the labelled pictures."
    )
    return "\n".join(["# Operating characteristics where people decide", "", note, "", most, "", *lines, "", how, ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=1000, help="simulations per cell")
    parser.add_argument("--table", type=Path, default=TABLE, help="where cells are written")
    runs, path = (chosen := parser.parse_args()).runs, chosen.table
    done: list[dict[Any, Any]] = pd.read_csv(path).to_dict("records") if path.exists() else []
    known = {(row["design"], row["labels"], row["truth"]) for row in done}
    cells = [
        (design, labelling, truth)
        for design in DESIGNS
        for truth in TRUTHS
        for labelling in LABELLINGS
        if (str(design), labelling.name, truth.name) not in known
    ]
    for design, labelling, truth in tqdm(cells, desc="cells"):
        slack = truth.slack(design)
        ok = "limit" if slack == 0 else "yes" if slack > 0 else "no"
        found = simulate(truth, design, labelling, runs)
        named = {"design": str(design), "labels": labelling.name, "truth": truth.name, "truth_ok": ok}
        done.append(named | found | {"simulations": runs})
        write_whole(path, pd.DataFrame(done).to_csv(index=False))
    write_whole(path.with_suffix(".md"), page(pd.DataFrame(done)))


if __name__ == "__main__":
    main()
