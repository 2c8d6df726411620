"""What a judge's answers say: which model wins, how certain that is, and how much the position mattered.

A pair's score is 1 where the tuned image wins, 0 where the base image does, 1/2 for a tie; averaged over the repeats of
each order, then over the two orders, so that a preference for the first position cancels out. Only pairs with an answer
in both orders count. Pairs, not answers, are resampled for the interval.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from anomend.judging.intervals import MIN_PAIRS, interval
from anomend.judging.position import position_bias, position_caution
from anomend.judging.protocol import CUT_OFF, ORDERS, REFUSED, JudgeAnswer
from anomend.judging.verdicts import CRITERIA, Counts


def analyse(answers: Sequence[JudgeAnswer], seed: int, resamples: int = 10_000) -> dict[str, Any]:
    """The metrics of one judge.

    Args:
        answers: all answers of one provider and model; those about parts are ignored, see `analyse_parts`.
        seed: seed of the bootstrap.
        resamples: bootstrap resamples of the pairs.

    Returns:
        provider, model;
        pairs: pairs answered in both orders, on which the win rate rests;
        win_rate_tuned, ci_low, ci_high: mean score of the pairs, 95% bootstrap interval stretched for few pairs;
        first_position_rate, first_ci_low, first_ci_high: share of first images among decided (not tied) answers, mean
            of the two orders, 1/2 without a position bias, and its interval over pairs;
        consistency: share of (pair, repeat) whose two orders name the same winner or both say tie;
        repeat_stability: share of (pair, order) whose repeats all say the same; None without repeats;
        criteria: the tuned images' win rate on each criterion, None if the judge does not assess it;
        extra_limbs: by model, base and tuned: share of answers whose counts exceed one head, two arms or two legs per
            person; only if the judge counts. A count is not proof: see docs/judges.md;
        ties: tied answers;
        unparsed: answers that are not verdicts, left out of everything else; refused, cut_off: those among them that
            the judge refused to give, or that reached the limit on tokens;
        caution: why not to rely on the win rate, only if there is such a reason.
        A metric that cannot be computed is None, and `reason` says why.

    Raises:
        ValueError: no answers, answers of more than one judge, or a question answered twice.
    """
    answers = [answer for answer in answers if answer.part is None]
    judges = {(answer.provider, answer.model) for answer in answers}
    if len(judges) != 1:
        raise ValueError(f"expected the answers of one judge, got {len(judges)}: analyse each judge by itself")
    ((provider, model),) = judges
    table = _table(answers)
    scores = _scores(table).to_numpy()
    reasons = []
    if len(scores) == 0:
        reasons.append("no pair has a parsed answer in both orders")
    low, high = interval(scores, seed, resamples)
    if len(scores) > 0 and low is None:
        reasons.append(
            f"no interval: it needs {MIN_PAIRS} pairs or more that are not all tied, there are {len(scores)}"
        )
    decided = table[table["choice"] != "tie"]
    if set(decided["order"]) != set(ORDERS):
        reasons.append("no first-position rate: it needs answers that name a winner in both orders")
    both = table.set_index(["prompt", "seed", "repeat", "order"])["score"].unstack().reindex(columns=list(ORDERS))
    both = both.dropna()
    metrics: dict[str, Any] = {
        "provider": provider,
        "model": model,
        "pairs": len(scores),
        "win_rate_tuned": float(scores.mean()) if len(scores) else None,
        "ci_low": low,
        "ci_high": high,
        **position_bias(decided, seed, resamples),
        "consistency": None if both.empty else float((both[ORDERS[0]] == both[ORDERS[1]]).mean()),
        "repeat_stability": _repeat_stability(table),
        "criteria": {criterion: _criterion(answers, criterion) for criterion in CRITERIA},
        "ties": int((table["choice"] == "tie").sum()),
        "unparsed": sum(answer.verdict is None for answer in answers),
        "refused": sum((answer.unparsed or "").startswith(REFUSED) for answer in answers),
        "cut_off": sum((answer.unparsed or "").startswith(CUT_OFF) for answer in answers),
    }
    if extra_limbs := _extra_limbs(answers):
        metrics["extra_limbs"] = extra_limbs
    if caution := position_caution(metrics):
        metrics["caution"] = caution
    return {**metrics, "reason": "; ".join(reasons)} if reasons else metrics


def pair_scores(answers: Sequence[JudgeAnswer]) -> pd.Series:
    """The tuned image's score in each pair that was answered in both orders; index prompt, seed."""
    return _scores(_table([answer for answer in answers if answer.part is None]))


def analyse_parts(answers: Sequence[JudgeAnswer], seed: int, resamples: int = 10_000) -> dict[str, dict[str, Any]]:
    """Metrics by body part; empty if no question was about a part."""
    by_part: dict[str, list[JudgeAnswer]] = {}
    for answer in answers:
        if answer.part is not None:
            by_part.setdefault(answer.part, []).append(answer.model_copy(update={"part": None}))
    kept = (
        "pairs",
        "win_rate_tuned",
        "ci_low",
        "ci_high",
        "first_position_rate",
        "consistency",
        "unparsed",
        "caution",
        "reason",
    )
    metrics = {part: analyse(about_part, seed, resamples) for part, about_part in sorted(by_part.items())}
    return {part: {name: values[name] for name in kept if name in values} for part, values in metrics.items()}


def pooled(scores: Mapping[str, pd.Series], seed: int, resamples: int = 10_000) -> dict[str, Any]:
    """Several judges as one: the mean of their scores on the pairs that all of them answered.

    Args:
        scores: by judge, as `pair_scores` returns them.
        seed: seed of the bootstrap.
        resamples: bootstrap resamples of the pairs.

    Returns:
        provider ("pooled"), model (the judges' names), pairs, win_rate_tuned, ci_low, ci_high; `reason` where null.
    """
    common = pd.DataFrame(dict(scores)).dropna().mean(axis=1).to_numpy()
    low, high = interval(common, seed, resamples)
    metrics: dict[str, Any] = {
        "provider": "pooled",
        "model": ", ".join(scores),
        "pairs": len(common),
        "win_rate_tuned": float(common.mean()) if len(common) else None,
        "ci_low": low,
        "ci_high": high,
    }
    return metrics if low is not None else metrics | {"reason": f"{len(common)} pairs that all judges answered"}


def _scores(table: pd.DataFrame) -> pd.Series:
    """Mean over the repeats of each order, then over the two orders."""
    by_order = table.groupby(["prompt", "seed", "order"])["score"].mean().unstack().reindex(columns=list(ORDERS))
    return by_order.dropna().mean(axis=1)


def _repeat_stability(table: pd.DataFrame) -> float | None:
    choices = table.groupby(["prompt", "seed", "order"])["choice"].agg(["nunique", "size"])
    repeated = choices[choices["size"] > 1]
    return None if repeated.empty else float((repeated["nunique"] == 1).mean())


def _extra_limbs(answers: Sequence[JudgeAnswer]) -> dict[str, float]:
    counted: dict[str, list[bool]] = {"base": [], "tuned": []}
    for answer in answers:
        if answer.verdict is None or answer.verdict.image_a is None or answer.verdict.image_b is None:
            continue
        models = ("base", "tuned") if answer.order == "base_first" else ("tuned", "base")
        for model, counts in zip(models, (answer.verdict.image_a, answer.verdict.image_b), strict=True):
            counted[model].append(_too_many(counts))
    return {model: sum(extra) / len(extra) for model, extra in counted.items() if extra}


def _too_many(counts: Counts) -> bool:
    people = counts.people
    return counts.heads > people or counts.arms > 2 * people or counts.legs > 2 * people


def _criterion(answers: Sequence[JudgeAnswer], criterion: str) -> float | None:
    scores = _scores(_table(answers, criterion))
    return float(scores.mean()) if len(scores) else None


def _table(answers: Sequence[JudgeAnswer], criterion: str = "overall") -> pd.DataFrame:
    """One row per answer on the criterion: prompt, seed, order, repeat, choice, score of the tuned image."""
    rows = []
    for answer in answers:
        if answer.verdict is not None and (choice := getattr(answer.verdict, criterion)) is not None:
            tuned = "A" if answer.order == "tuned_first" else "B"
            score = 0.5 if choice == "tie" else float(choice == tuned)
            rows.append((answer.prompt, answer.seed, answer.order, answer.repeat, choice, score))
    table = pd.DataFrame(rows, columns=["prompt", "seed", "order", "repeat", "choice", "score"])
    twice = table[table.duplicated(["prompt", "seed", "order", "repeat"])]
    if not twice.empty:
        first = twice.iloc[0]
        raise ValueError(
            f"{first['prompt']!r} at seed {first['seed']} is answered twice in one order and repeat: keep one"
        )
    return table
