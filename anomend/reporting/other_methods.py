"""What another method would give on the same base, by the committed comparison (`make methods`)."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from anomend.reporting.formatting import number_text

TABLE = Path("studies/experiments/methods.csv")
COMPARED_ON = "mini"
"""The base of the comparison."""


def better_method(runs: pd.DataFrame | None, *, base: str, method: str) -> str:
    """The method that leaves the fewest target images wrong, of those whose every run is `corrected`.

    Args:
        runs: studies/experiments/methods.csv, one row per run; None: there is none.
        base: the base of the run that is reported.
        method: its `train.method`.

    Returns:
        A sentence; empty where the comparison is of another base or says nothing.
    """
    if runs is None or base != COMPARED_ON:
        return ""
    good = runs.groupby("method").filter(lambda of_method: (of_method["verdict"] == "corrected").all())
    if good.empty:
        return ""
    best = str(good.groupby("method")["target_tuned"].mean().idxmin())
    own = runs[runs["method"] == method]
    if best == method:
        return f"None that was compared leaves fewer target images wrong than {method}: {_figures(own)}."
    against = f", against {_figures(own)} by {method}" if len(own) else ""
    chosen = runs[runs["method"] == best]
    needs = [
        f"{count:,.0f} {what}" if count else f"no {what}"
        for what, count in (
            ("instance images", chosen["instance_images"].max()),
            ("labels", chosen["labels"].max()),
        )
    ]
    return f"{best} would leave {_figures(chosen)} of the target images wrong{against}. It takes {' and '.join(needs)}."


def _figures(runs: pd.DataFrame) -> str:
    """The mean rate over the training seeds, and the largest bound."""
    rate, bound = runs["target_tuned"].mean(), runs["target_upper"].max()
    trainings = "one training" if len(runs) == 1 else f"each of {len(runs)} trainings"
    return f"{number_text(rate, 'rate')} (at most {number_text(bound, 'rate')} with 95% confidence in {trainings})"
