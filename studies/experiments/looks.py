"""How often is the verdict right where looks are declared, and how many images does it take? A simulation.

`make operating-characteristics` runs it after the study of the fixed design, whose truths, correlations and right
images it shares. Here the images of a run come look by look, and the project's own clauses decide after each which
prompts are sampled further. `mean_images` counts the images of both models. Seeds are counted one by one: a run makes
whole blocks (`sample.batch_size`).

The cells are written one by one, so a run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
from collections import Counter
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
from anomend.verdict.evidence import Change, Copies, Findings, Ratio
from anomend.verdict.looks import LookPlan, Looks
from studies.experiments.looks_page import page
from studies.experiments.operating_characteristics import (
    AT_LIMIT,
    DIMENSIONS,
    ELSEWHERE,
    HELD_OUT_CORRELATION,
    POOL,
    TARGET_CORRELATION,
    cell_shares,
)
from studies.experiments.truths import DESIGNS, GOOD, THRESHOLDS, TRUTHS, Design, Truth, in_order

TABLE = Path("studies/experiments/looks.csv")
FIXED = Path("studies/experiments/operating_characteristics.csv")
"""The same cells with one look."""
SHARES = (0.2, 0.4, 0.5, 0.6, 0.8, 1.0)
"""The looks, as shares of the seeds."""
NOTHING = PairCounts(0, 0, 0, 0)


@cache
def sequences(model: str, length: int) -> NDArray[np.float64]:
    """Feature vectors of right images in the order in which they come, shape (`POOL`, length, `DIMENSIONS`)."""
    return numpy_generator("looks", model).normal(size=(POOL, length, DIMENSIONS))


@cache
def first_diversities(model: str, images: int, length: int) -> NDArray[np.float64]:
    """Diversity of each sequence's first images, with a true value of 2, and its variance: shape (2, `POOL`).

    They are those of `jackknife` on the squared distances, from sums.
    """
    values = sequences(model, length)[:, :images]
    norms = (values**2).sum(axis=2)
    products = (values * values.sum(axis=1, keepdims=True)).sum(axis=2)
    rows = (images * norms + norms.sum(axis=1, keepdims=True) - 2 * products) / DIMENSIONS
    total = rows.sum(axis=1, keepdims=True)
    left_out = (total - 2 * rows) / ((images - 1) * (images - 2))
    return np.stack([total[:, 0] / (images * (images - 1)), (images - 1) * left_out.var(axis=1)])


class Run:
    """One simulated run, which is sampled look by look."""

    def __init__(self, truth: Truth, design: Design, rng: np.random.Generator) -> None:
        self.truth, self.design, self.rng = truth, design, rng
        self.plan = LookPlan(shares=SHARES, target_seeds=design.target_seeds, held_out_seeds=design.held_out_seeds)
        rates = [truth.held_out_base + rise for rise in truth.held_out_rises(design.held_out)]
        self.shares = {
            "target": [cell_shares(truth.base, rate, TARGET_CORRELATION) for rate in truth.tuned_rates(design.targets)],
            "held_out": [cell_shares(truth.held_out_base, rate, HELD_OUT_CORRELATION) for rate in rates],
        }
        self.pairs = {group: [NOTHING] * len(shares) for group, shares in self.shares.items()}
        self.new = self.copies = 0
        # Which sequences this run's right images follow: of each prompt, of either model, and of the sibling.
        self.sequence = rng.integers(POOL, size=(design.targets, 3))

    def outcome(self) -> tuple[str, int]:
        """The verdict, and the images of both models that it took."""
        looks = Looks(THRESHOLDS, self.plan)
        for look in range(1, len(SHARES) + 1):
            self._sample(looks, look)
            looks.take(self._findings())
            if looks.outcome() != "inconclusive":
                break
        return looks.outcome(), 2 * sum(pairs.n for group in self.pairs.values() for pairs in group)

    def _sample(self, looks: Looks, look: int) -> None:
        for group in ("target", "held_out"):
            for number, shares in enumerate(self.shares[group]):
                before = self.pairs[group][number]
                if look > 1 and not looks.needs(group, str(number)):
                    continue
                drawn = PairCounts(*self.rng.multinomial(self.plan.seeds(group, look) - before.n, shares).tolist())
                self.pairs[group][number] = before + drawn
                if group == "target":
                    self.new += int(self.rng.binomial(drawn.tuned, self.truth.new_kind))
                    self.copies += int(self.rng.binomial(drawn.n, self.truth.copies))

    def _findings(self) -> Findings:
        target, held_out = (self._change(group) for group in ("target", "held_out"))
        images = sum(pairs.n for pairs in self.pairs["target"])
        copies = Copies(k=self.copies, n=images)
        return Findings(target=target, held_out=held_out, ratio=self._ratio(), copies=copies)

    def _change(self, group: str) -> Change:
        prompts = {str(number): pairs for number, pairs in enumerate(self.pairs[group])}
        pairs = sum(prompts.values(), NOTHING)
        old = PairCounts(pairs.both, pairs.only_base, 0, pairs.n - pairs.base)
        new = self.new if group == "target" else 0
        kinds = {"old kind": old, "new kind": PairCounts(0, 0, new, pairs.n - new)}
        return Change(base=pairs.base / pairs.n, tuned=pairs.tuned / pairs.n, pairs=pairs, prompts=prompts, kinds=kinds)

    def _ratio(self) -> Ratio:
        """As `simulated_ratio`, from the first images of the run's sequences."""
        length, base, tuned = max(self.design.target_seeds, self.design.held_out_seeds), [], []
        sibling = self.pairs["held_out"][0]
        for pairs, (of_base, of_tuned, of_sibling) in zip(self.pairs["target"], self.sequence, strict=True):
            right, model, place = pairs.n - pairs.base, "base", of_base
            if right < MIN_IMAGES:
                right, model, place = sibling.n - sibling.base, "sibling", of_sibling
            if min(right, pairs.n - pairs.tuned) < MIN_IMAGES:
                return Ratio()
            base.append(_mean(model, right, place, length))
            tuned.append(_mean("tuned", pairs.n - pairs.tuned, of_tuned, length, self.truth.diversity))
        found = log_ratio(over_prompts(base), over_prompts(tuned))
        return Ratio(value=found.ratio, log_error=found.log_error, freedom=found.freedom) if found else Ratio()


def _mean(model: str, images: int, place: int, length: int, scale: float = 1.0) -> PromptMean:
    value, variance = first_diversities(model, images, length)[:, place]
    return PromptMean(value=float(value) * scale, variance=float(variance) * scale**2, images=images)


def simulate(truth: Truth, design: Design, simulations: int) -> tuple[Counter[str], float]:
    """Outcomes of this many runs, and their mean number of images."""
    rng = numpy_generator("looks", truth.name, str(design))
    outcomes, images = Counter[str](), 0
    for _ in range(simulations):
        outcome, sampled = Run(truth, design, rng).outcome()
        outcomes[outcome] += 1
        images += sampled
    return outcomes, images / simulations


def simulations_of(truth: Truth, design: Design) -> int:
    """How many runs a cell takes."""
    return AT_LIMIT if truth is GOOD or truth.slack(design) == 0 else ELSEWHERE


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--share", type=float, default=1.0, help="share of the simulations to run, for a quick check")
    parser.add_argument("--table", type=Path, default=TABLE, help="where cells are written")
    parser.add_argument("--designs", nargs="+", choices=[str(each) for each in DESIGNS], help="default: all")
    share, path = (chosen := parser.parse_args()).share, chosen.table
    done = pd.read_csv(path).to_dict("records") if path.exists() else []
    known = {(row["design"], row["truth"]) for row in done}
    designs = [design for design in DESIGNS if not chosen.designs or str(design) in chosen.designs]
    cells = [(design, truth) for design in designs for truth in TRUTHS if (str(design), truth.name) not in known]
    how = (__doc__ or "").partition("\n\n")[2].strip()
    for design, truth in tqdm(cells, desc="cells"):
        slack, simulations = truth.slack(design), max(1, round(share * simulations_of(truth, design)))
        outcomes, images = simulate(truth, design, simulations)
        shares = {name: outcomes[name] / simulations for name in ("corrected", "inconclusive", "not_corrected")}
        ok = "limit" if slack == 0 else "yes" if slack > 0 else "no"
        row: dict[Any, Any] = {
            "design": str(design),
            "truth": truth.name,
            "truth_ok": ok,
            **shares,
            "simulations": simulations,
        }
        looks = " ".join(f"{each:g}" for each in SHARES)
        done.append({**row, "looks": looks, "mean_images": round(images, 1)})
        write_whole(path, in_order(done).to_csv(index=False))
    write_whole(path.with_suffix(".md"), page(in_order(done), pd.read_csv(FIXED), SHARES, how))


if __name__ == "__main__":
    main()
