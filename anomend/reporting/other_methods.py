"""What another method would give on the same base, by the committed comparison (`make methods`)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from anomend.reporting.clauses import bound_number
from anomend.reporting.formatting import number_text

TABLE = Path("studies/experiments/methods.csv")
COMPARED = "mini"
"""Profile and base of the comparison."""
TRAINED = ("dreambooth", "dpo", "labels", "nft")
"""Methods of `train.method`, each by its default recipe; the comparison has variants of them besides."""


def better_method(runs: pd.DataFrame | None, params: Mapping[str, Any]) -> str:
    """The training method that left the fewest target images wrong, of those whose every run was `corrected`.

    Args:
        runs: studies/experiments/methods.csv, one row per run; None: there is none.
        params: the parameters of the run that is reported. The comparison is of the miniature with its own prompts.

    Returns:
        A sentence; empty where the run is of another base, or no other method was better.
    """
    base, method = params.get("base") or {}, str((params.get("train") or {}).get("method"))
    if runs is None or params.get("profile") != COMPARED or base.get("name") != COMPARED or base.get("local_folder"):
        return ""
    runs = runs[runs["method"].isin(TRAINED)]
    good = runs.groupby("method").filter(lambda of_method: bool((of_method["verdict"] == "corrected").all()))
    own = runs[runs["method"] == method]
    if good.empty or own.empty:
        return ""
    best = str(good.groupby("method")["target_tuned"].mean().idxmin())
    chosen = runs[runs["method"] == best]
    if own["target_tuned"].mean() <= chosen["target_tuned"].mean():
        return ""
    needs = [
        f"{count:,.0f} {what}" if count else f"no {what}"
        for what, count in (
            ("instance images", chosen["instance_images"].max()),
            ("labels", chosen["labels"].max()),
        )
    ]
    return (
        f"Compared by their default recipes, and of those that always corrected, {best} left the fewest target images "
        f"wrong: {_figures(chosen)}, with {' and '.join(needs)}; {method} left {_figures(own)}."
    )


def _figures(runs: pd.DataFrame) -> str:
    """The mean rate over the training seeds, the largest bound, the images it is from, and what training took."""
    rate, bound = runs["target_tuned"].mean(), bound_number(runs["target_upper"].max(), "rate", upper=True)
    trainings = "one training" if len(runs) == 1 else f"each of {len(runs)} trainings"
    figures = f"{number_text(rate, 'rate')} (at most {bound} with 95% confidence in {trainings}, from"
    figures += f" {runs['target_images'].min():,.0f} images"
    seconds, mean = f"{runs['seconds_train'].mean():,.0f} CPU seconds", "" if len(runs) == 1 else " on average"
    return f"{figures}; {seconds} of training{mean})"
