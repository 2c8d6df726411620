"""How often is the verdict right? It is simulated over a grid of truths and designs: `make operating-characteristics`.

A truth is what holds at new seeds of these prompts. Where it is at a threshold or beyond one, `corrected` is wrong and
may come up in at most 5% of runs. Where it is within all thresholds, `not_corrected` is wrong, and may come up in at
most 5%. Pairs of images are drawn from a latent normal distribution, with a correlation of .3 on the target prompts and
.5 on the held-out prompts. The right images are vectors of 16 normal numbers, whose mean squared distance is their
diversity. Each run is decided by the project's own clauses.

The cells are written one by one, so a run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import importlib
from collections import Counter
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm import tqdm

from anomend.project.files import write_whole
from anomend.project.seeding import numpy_generator
from anomend.statistics.paired_rise import PairCounts
from anomend.statistics.within_set_ratio import MIN_IMAGES, PromptMean, log_ratio, over_prompts
from anomend.verdict.claims import adjusted, claims, outcome_of
from anomend.verdict.clauses import settle
from anomend.verdict.evidence import Change, Copies, Findings, Ratio
from studies.experiments.truths import DESIGNS, THRESHOLDS, TRUTHS, Design, Truth, in_order

TABLE = Path("studies/experiments/operating_characteristics.csv")
AT_LIMIT, ELSEWHERE = 10_000, 2_000
"""Simulations per cell where the truth is at a threshold, and elsewhere."""
TARGET_CORRELATION, HELD_OUT_CORRELATION = 0.3, 0.5
DIMENSIONS, POOL = 16, 2_000
"""Length of a feature vector; sets of right images that are drawn for each number of images and model."""


@cache
def cell_shares(base: float, tuned: float, correlation: float) -> tuple[float, float, float, float]:
    """Shares of pairs that are anomalous for both models, the base alone, the tuned alone, and neither."""
    from scipy.stats import multivariate_normal, norm

    ends = norm.ppf([np.clip(base, 1e-12, 1 - 1e-12), np.clip(tuned, 1e-12, 1 - 1e-12)])
    both = float(multivariate_normal(cov=[[1, correlation], [correlation, 1]]).cdf(ends))
    return both, base - both, tuned - both, 1 - base - tuned + both


@cache
def diversity_pool(images: int, model: str) -> NDArray[np.float64]:
    """Diversities of sets of this many right images, with a true value of 2, and their variances: shape (2, `POOL`).

    They are those of `jackknife` on the squared distances, from sums: the matrices would take hours.
    """
    values = numpy_generator("operating characteristics", model, images).normal(size=(POOL, images, DIMENSIONS))
    norms = (values**2).sum(axis=2)
    products = (values * values.sum(axis=1, keepdims=True)).sum(axis=2)
    rows = (images * norms + norms.sum(axis=1, keepdims=True) - 2 * products) / DIMENSIONS
    total = rows.sum(axis=1, keepdims=True)
    left_out = (total - 2 * rows) / ((images - 1) * (images - 2))
    return np.stack([total[:, 0] / (images * (images - 1)), (images - 1) * left_out.var(axis=1)])


def drawn_mean(rng: np.random.Generator, images: int, model: str, scale: float = 1.0) -> PromptMean:
    """The diversity of one set of right images, `scale` times as large as the base model's on average."""
    value, variance = diversity_pool(images, model)[:, rng.integers(POOL)]
    return PromptMean(value=float(value) * scale, variance=float(variance) * scale**2, images=images)


def simulated_change(
    rng: np.random.Generator, shares: Sequence[tuple[float, ...]], seeds: int, new_kind: float
) -> Change:
    """One run's pairs on a group of prompts."""
    prompts = {}
    for number, share in enumerate(shares):
        prompts[f"prompt {number}"] = PairCounts(*(int(count) for count in rng.multinomial(seeds, share)))
    pairs = sum(prompts.values(), PairCounts(0, 0, 0, 0))
    new = int(rng.binomial(pairs.tuned, new_kind))
    old = PairCounts(pairs.both, pairs.only_base, 0, pairs.n - pairs.base)
    kinds = {"old kind": old, "new kind": PairCounts(0, 0, new, pairs.n - new)}
    return Change(base=pairs.base / pairs.n, tuned=pairs.tuned / pairs.n, pairs=pairs, prompts=prompts, kinds=kinds)


def _counts(change: Change) -> list[PairCounts]:
    return [pairs for pairs in change.prompts.values() if isinstance(pairs, PairCounts)]


def simulated_ratio(rng: np.random.Generator, target: Change, held_out: Change, diversity: float) -> Ratio:
    """One run's diversity of right images; the first held-out prompt stands in where the base has too few."""
    base, tuned = [], []
    for pairs in _counts(target):
        right = pairs.n - pairs.base
        if right < MIN_IMAGES:
            first = _counts(held_out)[0]
            right = first.n - first.base
        if min(right, pairs.n - pairs.tuned) < MIN_IMAGES:
            return Ratio()
        base.append(drawn_mean(rng, right, "base"))
        tuned.append(drawn_mean(rng, pairs.n - pairs.tuned, "tuned", diversity))
    found = log_ratio(over_prompts(base), over_prompts(tuned))
    return Ratio(value=found.ratio, log_error=found.log_error, freedom=found.freedom) if found else Ratio()


def simulate(truth: Truth, design: Design, simulations: int) -> Counter[str]:
    """Outcomes of this many runs."""
    rng = numpy_generator("operating characteristics", truth.name, str(design))
    of_target = [cell_shares(truth.base, rate, TARGET_CORRELATION) for rate in truth.tuned_rates(design.targets)]
    rates = [truth.held_out_base + rise for rise in truth.held_out_rises(design.held_out)]
    of_held_out = [cell_shares(truth.held_out_base, rate, HELD_OUT_CORRELATION) for rate in rates]
    images, outcomes = design.targets * design.target_seeds, Counter[str]()
    for _ in range(simulations):
        target = simulated_change(rng, of_target, seeds=design.target_seeds, new_kind=truth.new_kind)
        held_out = simulated_change(rng, of_held_out, seeds=design.held_out_seeds, new_kind=0.0)
        findings = Findings(
            target=target,
            held_out=held_out,
            ratio=simulated_ratio(rng, target, held_out, truth.diversity),
            copies=Copies(k=int(rng.binomial(images, truth.copies)), n=images),
        )
        found = claims(findings, THRESHOLDS)
        p_fail = adjusted(found)
        outcomes[outcome_of(settle(claim, p_fail[name], 1 - THRESHOLDS.level) for name, claim in found.items())] += 1
    return outcomes


def page(table: pd.DataFrame) -> str:
    """The table for reading, with the largest errors first."""
    errors = {
        "corrected": table.loc[table["truth_ok"] != "yes", "corrected"].max(),
        "not_corrected": table.loc[table["truth_ok"] == "yes", "not_corrected"].max(),
    }
    lines = ["| design | truth | within all thresholds | corrected | inconclusive | not corrected | runs |"]
    lines.append("|---|---|---|---|---|---|---|")
    for row in table.itertuples(index=False):
        shares = f"{row.corrected:.4f} | {row.inconclusive:.4f} | {row.not_corrected:.4f}"
        lines.append(f"| {row.design} | {row.truth} | {row.truth_ok} | {shares} | {row.simulations} |")
    most = (
        f"Largest share of `corrected` where the truth is not within all thresholds: {errors['corrected']:.4f}. Largest"
        f" share of `not_corrected` where it is: {errors['not_corrected']:.4f}."
    )
    how = (__doc__ or "").partition("\n\n")[2].strip()
    note = (
        "Written by `make operating-characteristics`. A design is target prompts x seeds / held-out prompts x seeds;"
        " `limit`: the truth is at a threshold."
    )
    return "\n".join(["# Operating characteristics of the verdict", "", note, "", most, "", *lines, "", how, ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--share", type=float, default=1.0, help="share of the simulations to run, for a quick look")
    parser.add_argument("--table", type=Path, default=TABLE, help="where cells are written")
    parser.add_argument("--designs", nargs="+", choices=[str(each) for each in DESIGNS], help="default: all")
    share, path = (chosen := parser.parse_args()).share, chosen.table
    importlib.import_module("statsmodels.stats.multitest")
    done: list[dict[Any, Any]] = pd.read_csv(path).to_dict("records") if path.exists() else []
    known = {(row["design"], row["truth"]) for row in done}
    designs = [design for design in DESIGNS if not chosen.designs or str(design) in chosen.designs]
    cells = [(design, truth) for design in designs for truth in TRUTHS if (str(design), truth.name) not in known]
    for design, truth in tqdm(cells, desc="cells"):
        slack = truth.slack(design)
        simulations = max(1, round(share * (AT_LIMIT if slack == 0 else ELSEWHERE)))
        outcomes = simulate(truth, design, simulations)
        shares = {name: outcomes[name] / simulations for name in ("corrected", "inconclusive", "not_corrected")}
        ok = "limit" if slack == 0 else "yes" if slack > 0 else "no"
        done.append({"design": str(design), "truth": truth.name, "truth_ok": ok, **shares, "simulations": simulations})
        write_whole(path, in_order(done).to_csv(index=False))
    write_whole(path.with_suffix(".md"), page(in_order(done)))


if __name__ == "__main__":
    main()
