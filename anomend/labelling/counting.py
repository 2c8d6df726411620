"""Which labels count, and how many there are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd


@dataclass(frozen=True, kw_only=True)
class RaterRules:
    """A rater who breaks one of these rules is left out with all labels."""

    max_failed_gold: int
    """Number of gold pictures that may be failed: answered otherwise than is known, or with 'not sure'."""
    min_median_ms: float
    """Milliseconds; a median time below this is too fast to have seen the pictures."""


def excluded_raters(labels: pd.DataFrame, rules: RaterRules) -> pd.DataFrame:
    """The raters who break a rule. One without gold pictures, or without times, cannot break the rule about them.

    Args:
        labels: the columns of `records.COLUMNS`.

    Returns:
        Index `rater`; columns gold and speed, true if that rule is broken.
    """
    failed = (labels["gold"].ne("") & labels["answer"].ne(labels["gold"])).groupby(labels["rater"]).sum()
    median = labels.groupby("rater")["milliseconds"].median()
    table = pd.DataFrame({"gold": failed > rules.max_failed_gold, "speed": median < rules.min_median_ms})
    return table[table.any(axis=1)].rename_axis("rater")


def counted_labels(labels: pd.DataFrame, design: pd.DataFrame, rules: RaterRules) -> pd.DataFrame:
    """The labels that are evidence: of raters who are not excluded, first showings, of pictures in the design.

    Gold pictures and repeats tell about raters. Labels of pictures that are not in the design, such as those of an
    earlier LoRA, say nothing about this run.

    Args:
        labels: the columns of `records.COLUMNS`.
        design: the columns of `design.DESIGN_COLUMNS`.
    """
    out = excluded_raters(labels, rules).index
    about = labels["picture"].isin(set(design["picture"])) & labels["gold"].eq("") & labels["showing"].eq(0)
    return labels[about & ~labels["rater"].isin(out)].reset_index(drop=True)


def label_metrics(labels: pd.DataFrame, design: pd.DataFrame, rules: RaterRules) -> dict[str, Any]:
    """How many labels there are, and why others do not count.

    Returns:
        n: raters whose labels count; excluded: raters left out, excluded_by_gold and excluded_by_speed by which rule
        (some by both); pictures: in the design, and of them labelled (once or more) and complete (by as many raters
        as planned); labels: that count; by answer nothing, unsure, wrong; on_other_pictures: labels of pictures that
        are not in the design; gold: answers to gold pictures; repeats: pictures that a rater saw twice, and
        repeat_consistency, the share of them with the same answer both times; median_ms: milliseconds per label.
        A metric that cannot be computed is None, and `reason` says why.
    """
    out = excluded_raters(labels, rules)
    counted = counted_labels(labels, design, rules)
    per_picture = design["picture"].map(counted["picture"].value_counts()).fillna(0)
    on_others = labels["gold"].eq("") & ~labels["picture"].isin(set(design["picture"]))
    twice = _repeated(labels[~labels["rater"].isin(out.index) & labels["gold"].eq("")])
    metrics: dict[str, Any] = {
        "n": int(counted["rater"].nunique()),
        "excluded": len(out),
        "excluded_by_gold": int(out["gold"].sum()),
        "excluded_by_speed": int(out["speed"].sum()),
        "on_other_pictures": int(on_others.sum()),
        "pictures": len(design),
        "labelled": int((per_picture > 0).sum()),
        "complete": int((per_picture >= design["showings"]).sum()),
        "labels": len(counted),
        **{answer: int(counted["answer"].eq(answer).sum()) for answer in ("nothing", "unsure", "wrong")},
        "gold": int(labels["gold"].ne("").sum()),
        "repeats": len(twice),
        "repeat_consistency": float(twice.mean()) if len(twice) else None,
        "median_ms": float(counted["milliseconds"].median()) if counted["milliseconds"].notna().any() else None,
    }
    if counted.empty:
        reason = "no labels yet: `make label` shows the pictures to people"
        if on_others.any():
            reason = f"all {int(on_others.sum())} labels are about other pictures than this design's"
        return {**metrics, "reason": "every rater is excluded" if len(out) else reason}
    if not len(twice):
        metrics["repeat_consistency_reason"] = "nobody answered a picture twice"
    if metrics["median_ms"] is None:
        metrics["median_ms_reason"] = "no label has a time"
    return metrics


def _repeated(labels: pd.DataFrame) -> pd.Series:
    """For each picture that a rater saw twice: whether both answers are the same."""
    both = labels.pivot_table(index=["rater", "picture"], columns="showing", values="answer", aggfunc="first")
    both = both.reindex(columns=[0, 1]).dropna()
    return both[0].eq(both[1])
