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
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm import tqdm

from anomend.people.estimates import KIND_PICTURES, LabelledPairs, estimate, labelled_pairs_of, of_prompt
from anomend.project.files import write_whole
from anomend.project.seeding import numpy_generator
from anomend.statistics import wilson_interval
from anomend.statistics.corrected_labels import CorrectedLabels, correct_labels
from anomend.statistics.dawid_skene import NOTHING, WRONG, fit_raters
from anomend.statistics.noisy_pairs import NoisyPairs
from anomend.verdict.claims import adjusted, claims, outcome_of
from anomend.verdict.clauses import settle
from anomend.verdict.evidence import LABELS, Change, Copies, Findings, Ratio
from studies.experiments.operating_characteristics import HELD_OUT_CORRELATION, TARGET_CORRELATION, cell_shares
from studies.experiments.truths import THRESHOLDS, Design, Truth

TABLE = Path("studies/experiments/people.csv")
KINDS = ("old kind", "new kind")
Worth = tuple[float, float]
"""Sensitivity and specificity of a detector."""
Ints = NDArray[np.int_]


@dataclass(frozen=True)
class Labelling:
    """Who labels how much, and which detector helps."""

    name: str
    errors: tuple[float, ...]
    """Chance of a wrong answer, by rater."""
    per_picture: int
    share: float = 1.0
    """Of the pairs of each prompt that people label."""
    base: Worth | None = None
    tuned: Worth | None = None


CREW = (0.05, 0.1, 0.2)
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


def simulated_run(
    rng: np.random.Generator,
    of_target: Sequence[tuple[float, ...]],
    of_held_out: Sequence[tuple[float, ...]],
    *,
    design: Design,
    labelling: Labelling,
    new_kind: float,
) -> tuple[Change, Change, Ints]:
    """What people say of both groups of prompts, and which of the tuned target pictures they label are wrong."""
    wrong, prompts, cells, labelled = [], [], [], []
    for group, shares, seeds in ((0, of_target, design.target_seeds), (1, of_held_out, design.held_out_seeds)):
        for number, share in enumerate(shares):
            drawn = rng.choice(4, size=seeds, p=np.array(share) / sum(share))
            wrong.append(np.stack([drawn <= 1, (drawn == 0) | (drawn == 2)], axis=1).astype(int))
            prompts += [f"prompt {number}"] * seeds
            cells += [group] * seeds
            labelled.append(np.arange(seeds) < round(labelling.share * seeds))
    truth, groups, seen = np.concatenate(wrong), np.array(cells), np.concatenate(labelled)
    n = len(truth)
    flat = truth.T.reshape(-1)
    answers, marks = rated(rng, flat, np.repeat([0, 1], n), np.tile(seen, 2), labelling=labelling, new_kind=new_kind)
    all_cells = np.concatenate([2 * groups, 2 * groups + 1])
    errors = fit_raters(answers, all_cells)
    machine = predicted(rng, truth, labelling)
    names = np.array(prompts, dtype=object)
    labels = correct_labels(answers, all_cells, errors)
    by_kind = {}
    for number, kind in enumerate(KINDS if new_kind else ()):
        of_kind = np.where(answers < 0, -1, np.where(marks == number, WRONG, NOTHING))
        fit = fit_raters(of_kind, all_cells, prior=errors.answers, prior_pictures=KIND_PICTURES)
        by_kind[kind] = correct_labels(of_kind, all_cells, fit)
    changes = []
    for chosen in (0, 1):
        rows = np.flatnonzero(groups == chosen)
        pairs = _pairs(labels, rows, n, names, machine)
        kinds = {kind: _pairs(each, rows, n, names, None) for kind, each in by_kind.items()} if chosen == 0 else {}
        changes.append(change_of(pairs, kinds))
    return changes[0], changes[1], truth[(groups == 0) & seen, 1]


def rated(
    rng: np.random.Generator,
    wrong: Ints,
    model: Ints,
    seen: NDArray[np.bool_],
    *,
    labelling: Labelling,
    new_kind: float,
) -> tuple[Ints, Ints]:
    """Answers (n, R), and the kind that each names, -1 for none."""
    size = (len(wrong), len(labelling.errors))
    says = wrong[:, None] != (rng.random(size) < np.array(labelling.errors))
    kind = np.where((model == 1) & (rng.random(len(wrong)) < new_kind), 1, 0)
    knows = (wrong[:, None] == 1) & (rng.random(size) < 0.9)
    named = np.where(knows, kind[:, None], rng.integers(len(KINDS) + 2, size=size))
    order = np.argsort(rng.random(size), axis=1)
    asked = (order < labelling.per_picture) & seen[:, None]
    return np.where(asked, np.where(says, WRONG, NOTHING), -1), np.where(asked & says, named, -1)


def predicted(rng: np.random.Generator, wrong: Ints, labelling: Labelling) -> NDArray[np.float64] | None:
    """What the detector finds, (n, 2); None without one."""
    if labelling.base is None or labelling.tuned is None:
        return None
    worth = np.array([labelling.base, labelling.tuned])
    chance = np.where(wrong == 1, worth[:, 0], 1 - worth[:, 1])
    return (rng.random(wrong.shape) < chance).astype(float)


def change_of(pairs: LabelledPairs, kinds: dict[str, LabelledPairs]) -> Change:
    """The estimates in the form that the clauses read, as `anomend.verdict.people` reads them from a file."""
    whole = estimate(pairs)
    by_prompt = {str(name): estimate(of_prompt(pairs, name)) for name in dict.fromkeys(pairs.prompts)}
    by_kind = {kind: estimate(each) for kind, each in kinds.items()}
    if whole is None:
        return Change(unit=LABELS)
    return Change(
        base=whole.pairs.base,
        tuned=whole.pairs.tuned,
        pairs=whole.pairs,
        prompts={name: found.pairs for name, found in by_prompt.items() if found},
        kinds={kind: found.pairs for kind, found in by_kind.items() if found},
        unit=LABELS,
    )


def _pairs(
    labels: CorrectedLabels, rows: Ints, n: int, prompts: NDArray[np.object_], machine: NDArray[np.float64] | None
) -> LabelledPairs:
    seen = None if machine is None else machine[rows]
    return labelled_pairs_of(labels, rows, n + rows, prompts=prompts[rows], machine=seen)


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
