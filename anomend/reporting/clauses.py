"""The clauses of the verdict for the reader: what each asks for, and its numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from anomend.project.model_words import BASE_AND_TUNED, ModelWords
from anomend.reporting.formatting import Unit, metric_text, number_text
from anomend.reporting.inputs import Metrics
from anomend.reporting.tables import OUTCOMES, Table
from anomend.verdict.clauses import confidence_text, outward


@dataclass(frozen=True)
class ClauseText:
    """How a clause is written."""

    asks: str
    """What it asks for, as half a sentence; {} is the threshold, names are words for the models."""
    about: str
    """What its value is."""
    unit: Unit
    upper: bool
    """Whether the value must stay below the threshold."""
    strict: bool = False
    """Whether it must not reach the threshold."""

    @property
    def limit(self) -> str:
        """The words before the threshold."""
        if self.upper:
            return "below" if self.strict else "at most"
        return "above" if self.strict else "at least"


CLAUSES: dict[str, ClauseText] = {
    "target_drop": ClauseText(
        "the share of wrong target images falls by at least {}",
        "Change of the share of wrong target images",
        "points",
        upper=True,
    ),
    "target_rate": ClauseText(
        "at most {} of {tuned_model}'s target images are wrong",
        "Wrong target images, {full_tuned}",
        "rate",
        upper=True,
    ),
    "worst_target_prompt": ClauseText(
        "at most {} of the images of each target prompt are wrong",
        "Wrong images of the worst target prompt",
        "rate",
        upper=True,
    ),
    "new_kinds": ClauseText(
        "no kind of anomaly rises by {} or more",
        "Change of the kind of anomaly that rose most, target prompts",
        "points",
        upper=True,
        strict=True,
    ),
    "held_out": ClauseText(
        "the share of wrong images on held-out prompts rises by less than {}",
        "Change of the share of wrong images, held-out prompts",
        "points",
        upper=True,
        strict=True,
    ),
    "worst_held_out_prompt": ClauseText(
        "the share of wrong images of each held-out prompt rises by less than {}",
        "Change of the held-out prompt that rose most",
        "points",
        upper=True,
        strict=True,
    ),
    "diversity": ClauseText(
        "right images are at least {} times as diverse as {base_model}'s",
        "Diversity of right images, {tuned} over {base}",
        "ratio",
        upper=False,
    ),
    "memorisation": ClauseText(
        "at most {} of the target images copy a training image", "Copies of training images", "rate", upper=True
    ),
    "preference": ClauseText(
        "people prefer {the_tuneds} image in more than {} of votes",
        "People prefer {the_tuneds} image",
        "rate",
        upper=False,
        strict=True,
    ),
}


def value_text(name: str, value: Any, *, size: bool = False) -> str:
    """A value, bound or threshold of a clause; `size` leaves the sign out."""
    unit = CLAUSES[name].unit if name in CLAUSES else "number"
    if size and value is not None:
        return number_text(abs(value), unit).lstrip("+")
    return number_text(value, unit)


def bound_text(name: str, clause: Mapping[str, Any]) -> str:
    """The bound in words, rounded outward; with more digits where it would read as the threshold without being it.

    It is of the side that decides: where a clause fails, of the side away from the threshold.
    """
    bound, threshold = clause.get("bound"), clause["threshold"]
    if bound is None:
        return ""
    unit = CLAUSES[name].unit if name in CLAUSES else "number"
    upper = (name not in CLAUSES or CLAUSES[name].upper) != (clause.get("passed") is False)
    text = bound_number(bound, unit, upper=upper)
    if text == value_text(name, threshold) and bound != threshold:
        text = bound_number(bound, unit, upper=upper, digits=3)
    return f"{'at most' if upper else 'at least'} {text}"


def bound_number(bound: float, unit: Unit, *, upper: bool, digits: int = 1) -> str:
    """A bound as `number_text` writes it, but rounded outward where its unit has fixed decimals.

    Args:
        bound: the truth is at most, or at least, that.
        unit: what it is.
        upper: whether the truth is at most that.
        digits: as in `number_text`.
    """
    decimals = {"rate": digits + 2, "points": digits + 2, "ratio": digits + 1}.get(unit)
    rounded = bound if decimals is None else outward(bound, upper=upper, digits=decimals)
    return number_text(rounded, unit, digits=digits)


def about(name: str, words: ModelWords) -> str:
    """What the value of a clause is."""
    return CLAUSES[name].about.format(**named(words)) if name in CLAUSES else name.replace("_", " ")


def named(words: ModelWords) -> dict[str, str]:
    """The words for the models by the names that the texts of clauses use."""
    return vars(words) | {"full_tuned": words.full("tuned")}


def figure_text(name: str, clause: Mapping[str, Any], changes: Mapping[str, str]) -> str:
    """The value of a clause.

    Args:
        name: of the clause.
        clause: as in metrics/verdict.json.
        changes: by clause, the change of a rate as it is printed elsewhere: the difference of the printed rates.
    """
    printed = changes.get(name) if clause.get("figure") is not None else None
    return printed or metric_text(clause, "figure", CLAUSES[name].unit if name in CLAUSES else "number")


def clause_table(
    verdict: Metrics, words: ModelWords = BASE_AND_TUNED, *, changes: Mapping[str, str] | None = None
) -> Table:
    """The clauses of the verdict, each with its outcome, value, bound and threshold; `changes` as in `figure_text`."""
    rows = []
    level = (verdict.get("provenance") or {}).get("thresholds", {}).get("level", 0.95)
    for name, clause in verdict["clauses"].items():
        known = CLAUSES.get(name)
        label = about(name, words)
        unit: Unit = known.unit if known else "number"
        threshold = f"{known.limit if known else 'threshold'} {number_text(clause['threshold'], unit)}"
        value = figure_text(name, clause, changes or {})
        bound, confidence = bound_text(name, clause), clause.get("confidence") or level
        other = f" ({confidence_text(confidence)})" if bound and confidence != level else ""
        rows.append((label, OUTCOMES[clause["passed"]], value, bound + other, threshold))
    note = (
        f"The true value is within the bound with {confidence_text(level)} confidence, unless brackets give another. "
        "The bound is one-sided, so it is nearer than the end of a two-sided interval of that level. A "
        "requirement is met where the bound is within the limit. The limits were set before the run. Changes are "
        f"{words.tuned} minus {words.base}, in percentage points."
    )
    return Table(("Requirement", "Outcome", "Measured", "Bound", "Limit"), tuple(rows), note)


def sample_advice(verdict: Metrics, words: ModelWords = BASE_AND_TUNED) -> str:
    """How many images would settle each clause, where the verdict says so, the most last; else empty."""
    units = (("seeds_per_prompt", "seeds"), ("labelled_pairs_per_prompt", "labelled pairs"))
    asked = []
    for name, clause in verdict["clauses"].items():
        advice = clause.get("advice") or {}
        asked += [(advice[key], unit, about(name, words), advice["power"]) for key, unit in units if key in advice]
    if not asked:
        return ""
    parts = [f"{count:,} {unit} ({label[0].lower()}{label[1:]})" for count, unit, label, _ in sorted(asked)]
    power = f"with a power of {asked[0][3]:.0%} each, if the truth is what was measured"
    return f"To settle what is open takes more per prompt, {power}: {'; '.join(parts)}."
