"""Table 2 of the paper: ten participants, ten pairs of images, the tuned model's always on the left."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from stages.measures.statistics import sign_test

CONFOUND = (
    "The tuned model's image was always on the left, so preferring the tuned model and preferring the left side cannot"
    " be told apart; and the votes are not independent trials, since the same participants judged the same pairs."
)


def table2(path: Path) -> dict[str, Any]:
    """Figures of the survey.

    Args:
        path: CSV with `participant`, `prompt` and `choice` (left: the tuned model's image, or right: the base model's).

    Returns:
        Votes in all and for the tuned model, prompts by their majority with an exact sign test over prompts (ties left
        out), and the share of left choices.

    Raises:
        ValueError: a choice is neither left nor right, or a participant has not exactly one vote a prompt.
    """
    votes = pd.read_csv(path)
    if not votes["choice"].isin(["left", "right"]).all():
        raise ValueError(f"{path} has a choice other than left and right: correct that row")
    if (pd.crosstab(votes["participant"], votes["prompt"]) != 1).any(axis=None):
        raise ValueError(f"{path} must have one vote of each participant on each prompt")
    tuned = votes["choice"] == "left"
    share = tuned.groupby(votes["prompt"]).mean()
    won, lost = int((share > 0.5).sum()), int((share < 0.5).sum())
    return {
        "participants": int(votes["participant"].nunique()),
        "prompts": len(share),
        "votes": len(votes),
        "votes_tuned": int(tuned.sum()),
        "win_rate_tuned": float(tuned.mean()),
        "prompts_won": won,
        "prompts_tied": len(share) - won - lost,
        "prompts_lost": lost,
        "p_sign": sign_test(won, lost),
        "left_choice_rate": float((votes["choice"] == "left").mean()),
        "confound": CONFOUND,
    }
