"""The verdict by people's labels: what it reads of metrics/people.json, and who decides in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from anomend.statistics.noisy_pairs import NoisyPairs
from anomend.verdict.evidence import LABELS, Change, measure, number, rate

Evidence = Literal["detector", "people", "people+machine"]
NO_PEOPLE = "metrics/people.json has no estimates: run stage `people` again"


def read_people(people: Mapping[str, Any], name: str) -> Change:
    """The change of an anomaly rate by people's labels.

    Args:
        people: content of metrics/people.json.
        name: key of the rate.

    Returns:
        The change; without pairs, and with the reason, where there are none.
    """
    source = measure(people, name)
    base, tuned = rate(source, "base"), rate(source, "tuned")
    if base is None or tuned is None:
        return Change(base=base, tuned=tuned, reason=str(source.get("reason") or NO_PEOPLE), unit=LABELS)
    try:
        whole, prompts, kinds = (
            {str(row["name"]): NoisyPairs.from_dict(row) for row in source[key]} for key in ("all", "prompts", "kinds")
        )
        (pairs,) = whole.values()
    except (KeyError, TypeError, ValueError):
        return Change(base=base, tuned=tuned, reason=NO_PEOPLE, unit=LABELS)
    caution = str(source.get("caution") or "")
    return Change(base=base, tuned=tuned, pairs=pairs, prompts=prompts, kinds=kinds, caution=caution, unit=LABELS)


def who_decides(evidence: Evidence, people: Mapping[str, Any], detector: str) -> str:
    """The evidence of the clauses about anomalies, in a sentence."""
    by_detector = f"the detector {detector}" if detector else "the detector"
    if evidence == "detector":
        return f"{by_detector[0].upper()}{by_detector[1:]} decides about anomalies (verdict.evidence: detector)."
    raters, labels, pictures = (int(number(people, key) or 0) for key in ("n", "labels", "labelled"))
    if not labels:
        return f"People are to decide about anomalies, and have labelled nothing yet (verdict.evidence: {evidence})."
    who = f"{raters} raters decide about anomalies, by {labels:,} labels of {pictures:,} pictures"
    who += f", with the help of {by_detector}" if evidence == "people+machine" else ""
    return f"{who} (verdict.evidence: {evidence})."
