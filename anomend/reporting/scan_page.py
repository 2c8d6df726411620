"""The page of a scan: a map of the prompts, why they fail, pictures, and what to correct first. One HTML file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from anomend.reporting.formatting import interval_text, number_text
from anomend.reporting.tables import Table
from anomend.reporting.templating import html_environment
from anomend.reporting.thumbnails import THUMBNAIL_SIDES, still_uri

READS = ("templates/scan.html.jinja", "templates/macros.html.jinja", "templates/style.css", "templates/scan.css")
"""Files that this module reads: a change of them is a change of its code."""
Row = Mapping[str, Any]
WORDS = {"wrong": "drawn wrong", "fine": "fine", "open": "unsettled"}
SIGNS = {"wrong": "✗", "fine": "✓", "open": "?"}
KINDS = {"sibling": "sibling: the same position", "same_place": "the same place", "unrelated": "unrelated"}
MANY_PICTURES = 100
"""From so many pictures on they are shown smaller, so that the page stays below 5 MB."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One place of the map: the prompts with a level of either factor."""

    rate: float | None
    """Mean of the prompts' rates; None where the suite has no such prompt."""
    sign: str
    status: str
    detail: str
    """What pointing at it, or going to it by keyboard, shows."""
    anchor: str


EXAMPLE_COLUMNS = ("prompt", "seed", "anomalous", "path")
"""What is read of the pictures."""


def render_scan(scan: Row, examples: pd.DataFrame) -> str:
    """Render the page.

    Args:
        scan: content of metrics/scan.json.
        examples: the image set of its pictures, with `prompt`, `seed`, `anomalous` and `path`.

    Returns:
        One page without any external request. The same inputs give the same bytes.
    """
    rows = scan["prompts"]
    anchors = {row["prompt"]: f"prompt-{number}" for number, row in enumerate(rows, start=1)}
    factors = list(rows[0]["levels"])
    template = html_environment().get_template("scan.html.jinja")
    return template.render(
        summary=[*summary(scan), *_waiting(scan)],
        caution=_caution(scan["provenance"]),
        map=heat_map(rows, anchors),
        factors=(factors[0], factors[1]),
        prompts=_prompt_table(rows),
        effects=_effect_table(scan),
        explained=_explained(scan["factors"]),
        proposal=_proposal(scan["proposal"]),
        pictures=_pictures(rows, examples, anchors),
        costs=_cost_table(scan),
        method=_method(scan),
        base=scan["provenance"]["base"],
    )


def heat_map(rows: Sequence[Row], anchors: Mapping[str, str]) -> dict[str, dict[str, Cell]]:
    """The cells of the map: level of the first factor -> level of the second one -> cell."""
    first, second = list(rows[0]["levels"])[:2]
    here: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        here.setdefault((row["levels"][first], row["levels"][second]), []).append(row)
    down, across = _in_order(rows, first), _in_order(rows, second)
    return {one: {other: _cell(here.get((one, other), []), anchors) for other in across} for one in down}


def summary(scan: Row) -> list[str]:
    """The first sentences of the page."""
    rules, count, limit = scan["rules"], scan["discoveries"], f"{scan['rules']['limit']:.0%}"
    if count:
        first = (
            f"{count} of {scan['prompts_scanned']} prompts {'is' if count == 1 else 'are'} drawn wrong: more than "
            f"{limit} of their images are anomalous. Of prompts called wrong, "
            f"{rules['error']:.0%} at most are expected not to be."
        )
    else:
        first = f"Of {scan['prompts_scanned']} prompts none was shown to have more than {limit} anomalous images."
    return [
        first,
        f"{scan['prompts_fine']} are fine, which means below {rules['worth']:.0%}, each with an error of "
        f"{rules['error']:.0%} at most; {scan['prompts_open']} are unsettled.",
    ]


def _cell(rows: Sequence[Row], anchors: Mapping[str, str]) -> Cell:
    if not rows:
        return Cell(rate=None, sign="", status="none", detail="", anchor="")
    worst = min(rows, key=lambda row: (list(SIGNS).index(row["status"]), -(row["value"] or 0.0)))
    worst = next((row for row in rows if row["status"] == "wrong"), worst)
    detail = _sentence(worst)
    if len(rows) > 1:
        detail = f"{len(rows)} prompts, the worst: {detail}"
    return Cell(
        rate=_mean([row["value"] for row in rows]),
        sign=SIGNS[worst["status"]],
        status=worst["status"],
        detail=detail,
        anchor=anchors[worst["prompt"]],
    )


def _mean(values: Sequence[float | None]) -> float | None:
    """Of the values that are known; None without any."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _sentence(row: Row) -> str:
    if row["value"] is None:
        return f"{row['prompt']}: nobody has labelled its pictures yet"
    return (
        f"{row['prompt']}: {number_text(row['value'], 'rate')} anomalous ({row['k']} of {row['n']}), 95% interval "
        f"{interval_text(row, 'rate')}; {WORDS[row['status']]}"
    )


def _in_order(rows: Sequence[Row], factor: str) -> list[str]:
    """Levels by their mean rate, the worst first."""
    rates: dict[str, list[float | None]] = {}
    for row in rows:
        rates.setdefault(row["levels"][factor], []).append(row["value"])
    return sorted(rates, key=lambda level: (-(_mean(rates[level]) or 0.0), level))


def _prompt_table(rows: Sequence[Row]) -> Table:
    cells = tuple(
        (
            row["prompt"],
            f"{SIGNS[row['status']]} {WORDS[row['status']]}",
            number_text(row["value"], "rate", "no labels yet"),
            interval_text(row, "rate"),
            f"{row['k']} of {row['n']}" + (" fresh" if row["fresh"] else ""),
        )
        for row in rows
    )
    note = (
        "Rates of prompts that are drawn wrong are those of fresh images, which decided nothing, and their intervals "
        "hold together. Each other interval holds by itself, at whatever round its sampling stopped."
    )
    return Table(("prompt", "status", "anomalous", "95% interval", "images"), cells, note)


def _effect_table(scan: Row) -> Table:
    cells = tuple(
        (
            f"{level['factor']}: {level['level'].replace('_', ' ')}",
            number_text(level["rate"], "rate"),
            f"{number_text(level['effect'], 'signed')} ({interval_text(level, 'signed')})",
            number_text(level["images"], "count"),
        )
        for level in sorted(scan["factors"]["levels"], key=lambda level: -level["effect"])
    )
    note = (
        "A logistic regression on the levels of all factors, without interactions: the anomaly rate that the suite's "
        "prompts would have with this level, and the change of the log-odds against the factor's average. It tests "
        "nothing."
    )
    return Table(("level", "anomalous, by the model", "log-odds (95% interval)", "images"), cells, note)


def _explained(factors: Row) -> str:
    if factors["explained_together"] is None:
        return f"The factors explain nothing: {factors['reason']}."
    parts = [f"{name.replace('_', ' ')} {share:.0%}" for name, share in factors["lost_without"].items()]
    together = factors["explained_together"]
    rest = "The rest is about combinations, which the map shows." if together < 0.995 else ""
    return (
        f"All factors together explain {together:.0%} of the differences between the prompts. What is lost without "
        f"each one: {', '.join(parts)}. {rest}"
    ).strip()


def _proposal(proposal: Row) -> Row | None:
    if proposal["target"] is None:
        return None
    return {
        "target": proposal["target"],
        "later": proposal["later"],
        "siblings": proposal["siblings"],
        "held_out": Table(
            ("held-out prompt", "related by"),
            tuple((row["prompt"], KINDS[row["kind"]]) for row in proposal["held_out"]),
        ),
    }


def _pictures(rows: Sequence[Row], examples: pd.DataFrame, anchors: Mapping[str, str]) -> Sequence[Row]:
    side = THUMBNAIL_SIDES[0] if len(examples) < MANY_PICTURES else THUMBNAIL_SIDES[3]
    shown = []
    for row in rows:
        stills = [
            {
                "uri": still_uri(picture["path"], side),
                "anomalous": bool(picture["anomalous"]),
                "alt": f"{row['prompt']}, seed {picture['seed']}: {_verdict(picture)}",
                "caption": f"seed {picture['seed']}: {_verdict(picture)}",
            }
            for picture in examples[examples["prompt"] == row["prompt"]].to_dict("records")
        ]
        shown.append({"anchor": anchors[row["prompt"]], "sentence": _sentence(row), "row": row, "stills": stills})
    return shown


def _verdict(picture: Mapping[Any, Any]) -> str:
    return "anomalous" if picture["anomalous"] else "right"


def _cost_table(scan: Row) -> Table:
    rules, unseen = scan["rules"], scan.get("images_unseen")
    rows = (
        ("images by which the scan decided", number_text(scan["images_explored"], "count")),
        ("fresh images of what it found", number_text(scan["images_fresh"], "count")),
        ("all", number_text(scan["images"], "count")),
        *([("of these not shown to people", number_text(unseen, "count"))] if unseen else []),
        ("a design without rounds", number_text(scan["images_fixed_design"], "count")),
    )
    note = (
        "The design without rounds makes as many images of each prompt, and tests each exactly, by Bonferroni: it errs "
        f"as rarely, and finds a lone prompt with a rate of {rules['worth']:.0%} as often "
        f"({scan['power_at_worth']:.1%}). Both are computed, not simulated."
    )
    if unseen:
        note += " It is one of people alone: compare it with the images that people see."
    return Table(("what", "images"), rows, note)


def _method(scan: Row) -> list[str]:
    rules = scan["rules"]
    return [
        f"Each round makes {rules['seeds_per_round']} images of every prompt that is not settled, up to "
        f"{rules['most_seeds']}; this scan took {scan['rounds']} rounds.",
        f"A prompt is wrong once the evidence for a rate above {rules['limit']:.0%} is enough, all prompts counted as "
        "tested (e-BH). The evidence is an e-value, which may be looked at after every round without a penalty.",
        f"A prompt is fine once its rate is shown to be below {rules['worth']:.0%}. Between {rules['limit']:.0%} and "
        f"{rules['worth']:.0%} it may be called either.",
        "What was found looks worse in the images by which it was found than it is. So it is reported by fresh images.",
    ]


def _waiting(scan: Row) -> list[str]:
    """What people have to do before the scan can go on."""
    if not scan["prompts_waiting"]:
        return []
    pictures = scan["provenance"]["pictures_to_label"]
    return [
        f"{scan['prompts_waiting']} prompts wait for people's labels of {pictures} pictures: `make label SCAN=1` shows "
        "these, and `make scan` then goes on."
    ]


def _caution(provenance: Row) -> str | None:
    if provenance["evidence"] != "detector":
        helps = (
            f" The detector {provenance['detector']} sees all images, and helps to choose the one in "
            f"{provenance['images_per_label']} that people see: its errors are not in the rates."
            if provenance["evidence"] == "people+machine"
            else ""
        )
        return (
            f"People decide, {provenance['raters_per_picture']} per picture.{helps} A picture on which they differ, or "
            "of which one is not sure, counts as right where a prompt is to be shown wrong, and as wrong where it is "
            "to be shown fine. What all of them overlook is not in these rates."
        )
    if provenance["detector_proven"]:
        return None
    return (
        f"The detector {provenance['detector']} is not proven to see what is wrong: these rates are of what it "
        "reports. Label pictures before you rest a decision on them."
    )
