"""Table 2 of the paper: ten participants, ten pairs of images, the tuned model's always on the left."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from anomend.surveying.responses import COLUMNS
from anomend.surveying.tally import per_pair, tally

CONFOUND = (
    "The tuned model's image was always on the left, so preferring the tuned model and preferring the left side cannot"
    " be told apart; and the votes are not independent trials, since the same participants judged the same pairs."
)
DECIMALS = 6


def responses_of_table2(path: Path) -> pd.DataFrame:
    """The paper's votes as responses of one of our surveys.

    Args:
        path: CSV with `participant`, `prompt` and `choice` (left: the tuned model's image, or right: the base model's).

    Returns:
        The columns of `anomend.surveying.responses.COLUMNS`; reaction times are unknown.

    Raises:
        ValueError: a choice is neither left nor right, or a participant has not exactly one vote per prompt.
    """
    votes = pd.read_csv(path, dtype=str)
    if not votes["choice"].isin(["left", "right"]).all():
        raise ValueError(f"{path} has a choice other than left and right: correct that row")
    if (pd.crosstab(votes["participant"], votes["prompt"]) != 1).any(axis=None):
        raise ValueError(f"{path} must have one vote of each participant on each prompt")
    pair = "prompt " + votes["prompt"].str.zfill(2)
    return votes.assign(pair=pair, seed=0, left_model="tuned", reaction_ms="", kind="real")[list(COLUMNS)]


def table2(path: Path, seed: int = 0) -> dict[str, Any]:
    """Metrics of the paper's survey, by the same tally as for our surveys.

    Returns:
        votes_tuned; the metrics of `tally`; by_pair: votes of each pair with its majority, exact sign test and Wilson
        interval; confound: which effects cannot be separated.

    Raises:
        ValueError: see `responses_of_table2`.
    """
    responses = responses_of_table2(path)
    pairs = per_pair(responses)
    columns = ["tuned", "base", "majority", "ci_low", "ci_high", "p_sign", "p_holm"]
    return _rounded(
        {
            "votes_tuned": int(pairs["tuned"].sum()),
            **tally(responses, seed),
            "by_pair": {str(pair): dict(row) for pair, row in pairs[columns].astype(object).iterrows()},
            "confound": CONFOUND,
        }
    )


def _rounded(value: Any) -> Any:
    # Sums taken in another order differ in the last bits from machine to machine; a metric in git should not.
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    return round(value, DECIMALS) if isinstance(value, float) else value
