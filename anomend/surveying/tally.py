"""The count of the survey: which model people prefer, how certain that is, and what the data cannot tell.

Votes are crossed: every participant judges many pairs, every pair is judged by many participants, so 100 votes are not
100 independent trials. What counts is therefore the interval that resamples participants and pairs together. The sign
test over the pairs' majorities knows nothing of tendencies that raters share (it then errs in 7 to 28%), and is listed
for comparison alone. The mixed logistic model is a sensitivity check.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from anomend.statistics.crossed import crossed_interval
from anomend.statistics.exact_tests import holm, sign_test
from anomend.statistics.proportions import wilson_interval
from anomend.statistics.rater_agreement import fleiss_kappa, krippendorff_alpha
from anomend.surveying.exclusion import ExclusionRules, excluded_participants
from anomend.surveying.mixed_model import mixed_logistic
from anomend.surveying.repeats import rater_noise, repeated_votes
from anomend.surveying.responses import with_votes

CATEGORIES = ("tuned", "base", "unsure")
NO_SPREAD = "an interval needs two participants or more, two pairs or more, and answers that are not all 'unsure'"
WHY_NOT = {
    "win_rate_tuned": "no votes",
    "ci_low": NO_SPREAD,
    "ci_high": NO_SPREAD,
    "p_sign": "no pair has a majority",
    "left_choice_rate": "every vote is 'unsure'",
    "left_ci_low": NO_SPREAD,
    "left_ci_high": NO_SPREAD,
    "unsure_rate": "no votes",
    "repeat_consistency": "nobody decided a pair and its repeat",
    "repeat_ci_low": NO_SPREAD,
    "repeat_ci_high": NO_SPREAD,
    "rater_noise": "nobody decided a pair and its repeat",
    "fleiss_kappa": "it needs the same number of votes, two or more, on every pair and votes that differ",
    "krippendorff_alpha": "it needs a pair with two votes or more and votes that differ",
}
"""Why each metric can be None."""


def tally(
    responses: pd.DataFrame,
    seed: int,
    *,
    resamples: int = 10_000,
    rules: ExclusionRules | None = None,
    on_other_images: int = 0,
) -> dict[str, Any]:
    """The metrics of a survey.

    Only rows of kind `real` are votes. Catch pairs decide which participants are left out, and repeats show how
    consistent raters are.

    Args:
        responses: the columns of `responses.COLUMNS`; may have no rows.
        seed: seed of the bootstrap.
        resamples: bootstrap resamples.
        rules: which participants are left out; None: none of them.
        on_other_images: number of answers that are not in `responses`, because they are about other images.

    Returns:
        n: participants whose votes count; excluded: participants left out, excluded_by_catch and excluded_by_speed by
        which rule (some by both); on_other_images, as given;
        votes; pairs, and of them pairs_tuned, pairs_base, pairs_tied by the majority of their decided votes;
        win_rate_tuned: share of votes for the tuned image, 'unsure' as half; ci_low, ci_high: its 95% interval;
        p_sign: two-sided exact sign test over the pairs that have a majority, blind to tendencies that raters share;
        left_choice_rate: share of left among decided votes, 1/2 without a preference for a side, with its 95% interval;
        unsure_rate: share of 'unsure';
        repeats: pairs that a participant decided twice; repeat_consistency: share of them for the same image, with its
        95% interval; rater_noise: the chance of a vote against the rater's preference that would explain it;
        fleiss_kappa, krippendorff_alpha: agreement on tuned | base | unsure over the pairs;
        mixed_model: see `mixed_logistic`;
        caution: what the data cannot tell apart, if anything.
        A metric that cannot be computed is None, and `reason` (or `<metric>_reason`, if only some are) says why.

    Raises:
        ValueError: the responses do not match their schema.
    """
    answers, out = _kept(responses, rules)
    votes = answers[answers["kind"] == "real"]
    metrics: dict[str, Any] = {
        "n": int(votes["participant"].nunique()),
        "excluded": len(out),
        "excluded_by_catch": int(out["catch"].sum()),
        "excluded_by_speed": int(out["speed"].sum()),
        "on_other_images": on_other_images,
        "votes": len(votes),
    }
    if votes.empty:
        reason = "no responses yet: put response files into the survey's folder"
        if on_other_images:
            reason = f"all {on_other_images} answers are about other images than today's samples"
        return {**metrics, **dict.fromkeys(WHY_NOT), "reason": "everybody is excluded" if len(out) else reason}
    metrics |= _preference(answers, seed, resamples) | _sides(votes, seed, resamples)
    metrics |= _steadiness(answers, seed, resamples) | _agreement(answers)
    metrics |= {f"{name}_reason": reason for name, reason in WHY_NOT.items() if metrics[name] is None}
    metrics["mixed_model"] = mixed_logistic(votes, seed)
    if votes["left_model"].nunique() == 1:
        side = votes["left_model"].iloc[0]
        metrics["caution"] = f"the {side} image was always on the left: side and model cannot be told apart"
    return metrics


def per_pair(responses: pd.DataFrame, rules: ExclusionRules | None = None) -> pd.DataFrame:
    """Votes of each pair, without the participants that the rules leave out.

    Returns:
        Index `pair`, sorted; columns prompt, seed; tuned, base, unsure (votes); majority (tuned | base | "" for a tie);
        ci_low, ci_high: the Wilson interval of the tuned image's share among decided votes, NaN if there are none;
        p_sign: two-sided exact sign test of the pair's decided votes; p_holm: adjusted for testing every pair.
    """
    answers, _ = _kept(responses, rules)
    votes = answers[answers["kind"] == "real"]
    table = votes.groupby(["pair", "vote"]).size().unstack(fill_value=0)
    table = table.reindex(columns=list(CATEGORIES), fill_value=0).sort_index()
    difference = table["tuned"] - table["base"]
    table["majority"] = np.select([difference > 0, difference < 0], ["tuned", "base"], default="")
    decided = [(int(tuned), int(base)) for tuned, base in zip(table["tuned"], table["base"], strict=True)]
    intervals = [wilson_interval(tuned, tuned + base) if tuned + base else (np.nan, np.nan) for tuned, base in decided]
    table["ci_low"], table["ci_high"] = [low for low, _ in intervals], [high for _, high in intervals]
    table["p_sign"] = [sign_test(tuned, base) for tuned, base in decided]
    adjusted = holm({str(pair): p for pair, p in table["p_sign"].items()})
    table["p_holm"] = [adjusted[str(pair)] for pair in table.index]
    named = votes.groupby("pair")[["prompt", "seed"]].first()
    return named.join(table).rename_axis(index="pair", columns=None)


def _kept(responses: pd.DataFrame, rules: ExclusionRules | None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The answers of participants who are not excluded, and those who are."""
    answers = with_votes(responses)
    rules = rules or ExclusionRules(max_failed_catches=len(answers), min_median_ms=0)
    out = excluded_participants(answers, rules)
    return answers[~answers["participant"].isin(out.index)], out


def _preference(answers: pd.DataFrame, seed: int, resamples: int) -> dict[str, Any]:
    votes, pairs = answers[answers["kind"] == "real"], per_pair(answers)
    won, lost = int((pairs["majority"] == "tuned").sum()), int((pairs["majority"] == "base").sum())
    low, high = _interval(table=votes, values=votes["score"], seed=seed, resamples=resamples)
    return {
        "pairs": len(pairs),
        "pairs_tuned": won,
        "pairs_base": lost,
        "pairs_tied": len(pairs) - won - lost,
        "win_rate_tuned": float(votes["score"].mean()),
        "ci_low": low,
        "ci_high": high,
        "p_sign": sign_test(won, lost) if won + lost else None,
    }


def _sides(votes: pd.DataFrame, seed: int, resamples: int) -> dict[str, Any]:
    decided = votes[votes["choice"] != "unsure"]
    left = (decided["choice"] == "left").astype(float)
    low, high = _interval(table=decided, values=left, seed=seed, resamples=resamples)
    return {
        "left_choice_rate": float(left.mean()) if len(decided) else None,
        "left_ci_low": low,
        "left_ci_high": high,
        "unsure_rate": float((votes["choice"] == "unsure").mean()),
    }


def _steadiness(answers: pd.DataFrame, seed: int, resamples: int) -> dict[str, Any]:
    repeats = repeated_votes(answers)
    consistency = float(repeats["same"].mean()) if len(repeats) else None
    low, high = _interval(table=repeats, values=repeats["same"], seed=seed, resamples=resamples)
    return {
        "repeats": len(repeats),
        "repeat_consistency": consistency,
        "repeat_ci_low": low,
        "repeat_ci_high": high,
        "rater_noise": None if consistency is None else rater_noise(consistency),
    }


def _agreement(answers: pd.DataFrame) -> dict[str, Any]:
    counts = per_pair(answers)[list(CATEGORIES)].to_numpy()
    return {"fleiss_kappa": fleiss_kappa(counts), "krippendorff_alpha": krippendorff_alpha(counts)}


def _interval(
    table: pd.DataFrame, values: pd.Series, seed: int, resamples: int
) -> tuple[float, float] | tuple[None, None]:
    """95% interval of the values' mean; participants and pairs are drawn with replacement."""
    if table.empty:
        return None, None
    return crossed_interval(
        values, table["participant"].tolist(), table["pair"].tolist(), seed=seed, resamples=resamples
    )
