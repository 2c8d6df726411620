"""What a report says, in its order, before it is written as Markdown or HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from anomend.reporting import evidence_tables, paper_tables, tables
from anomend.reporting.formatting import figure_of
from anomend.reporting.glance import Question, questions, subject
from anomend.reporting.inputs import Metrics, ReportInputs
from anomend.reporting.pairs import Pair, named_pairs
from anomend.reporting.paper_figures import PaperFigure, paper_figures
from anomend.reporting.rates import PromptRates
from anomend.reporting.reproduction import COMMANDS, ROUNDING
from anomend.reporting.tables import Table
from anomend.reporting.thumbnails import picture_uri
from anomend.reporting.training_section import loss_chart_of, training_charts, training_samples

MOST_DISAGREEMENTS = 6
CONTACT_SHEET_WIDTH = 1200
CONTENTS = (
    ("clauses", "Why this verdict"),
    ("images", "Images"),
    ("rates", "Anomaly rates"),
    ("measures", "All measures"),
    ("training", "Training"),
    ("training-images", "Training images"),
    ("judges", "Judges"),
    ("survey", "Survey"),
    ("agreement", "Agreement"),
    ("paper", "The paper"),
    ("costs", "Costs"),
    ("reproduce", "Reproduce this run"),
)
"""Ids and headings of the page's parts."""
VERDICTS = {"corrected": "✓ Corrected", "not_corrected": "✗ Not corrected", "inconclusive": "? Inconclusive"}


@dataclass(frozen=True)
class Content:
    """What a report says, in its order; a table that is None was not part of the run."""

    title: str
    profile: str
    verdict: str
    """corrected | not_corrected | inconclusive."""
    verdict_words: str
    reasons: Sequence[str]
    subject: str
    questions: Sequence[Question]
    clauses: Table
    advice: Sequence[str]
    """How many images would settle what is not settled."""
    contents: Sequence[tuple[str, str]]
    pairs: Mapping[str, Mapping[Pair, str]]
    """By prompt; each pair with its caption."""
    grid_image: str | None
    prompts: Table
    kinds: Table
    compare: Table
    sets: Table
    training: Table
    curves: Mapping[str, str]
    """Charts of the training by what they show, as SVG."""
    training_samples: Mapping[int, str]
    """By step, as `data:` URIs."""
    replication: Table | None
    votes: Table | None
    preferences: Table
    paper_figures: Sequence[PaperFigure]
    judge: Table | None
    survey: Table | None
    agreement: Table | None
    disagreements: Mapping[Pair, str]
    """Pairs on which raters differ most, and what each says."""
    contact_sheet: str | None
    """As a `data:` URI."""
    curated: str
    """How many images were kept and rejected."""
    costs: Table
    commands: Sequence[tuple[str, str]]
    rounding: str
    base_model: Table
    data: Table
    environment: Table
    parameters: Table


def content_of(inputs: ReportInputs, pairs: Sequence[Pair], rates: Sequence[PromptRates]) -> Content:
    """Gather it; `pairs` are shown, `rates` are the anomaly rates prompt by prompt."""
    decision = inputs.verdict["verdict"]
    by_prompt: dict[str, dict[Pair, str]] = {}
    for pair in pairs:
        by_prompt.setdefault(pair.prompt, {})[pair] = f"seed {pair.seed}"
    evidence = evidence_tables
    return Content(
        title=inputs.title,
        profile=str(inputs.parameters.get("profile", "")),
        verdict=decision,
        verdict_words=VERDICTS[decision],
        reasons=inputs.verdict["reasons"],
        subject=subject(inputs),
        questions=questions(inputs, rates),
        clauses=tables.clause_table(inputs.verdict),
        advice=tables.sample_advice(inputs.verdict),
        contents=CONTENTS,
        pairs=by_prompt,
        grid_image=inputs.grid_image,
        prompts=tables.prompt_table(rates),
        kinds=tables.kind_table(inputs.measure_base, inputs.measure_tuned),
        compare=tables.compare_table(inputs.compare),
        sets=tables.set_table(inputs.measure_base, inputs.measure_tuned),
        training=evidence.training_table(inputs.train),
        curves=training_charts(inputs),
        training_samples=training_samples(inputs.training_samples),
        replication=_table_1(inputs.replication, inputs),
        votes=None if inputs.replication is None else paper_tables.vote_table(inputs.replication),
        preferences=paper_tables.preference_table(inputs.replication, inputs.paper_judges, inputs.judge, inputs.survey),
        paper_figures=paper_figures(inputs, loss_chart_of(inputs, "figure-7")),
        judge=None if inputs.judge is None else evidence.judge_table(inputs.judge),
        survey=None if inputs.survey is None else evidence.survey_table(inputs.survey),
        agreement=None if inputs.agreement is None else evidence.agreement_table(inputs.agreement),
        disagreements=_disagreements(inputs),
        contact_sheet=None if inputs.contact_sheet is None else picture_uri(inputs.contact_sheet, CONTACT_SHEET_WIDTH),
        curated=_curated(inputs.curate),
        costs=evidence.cost_table(inputs.collect, inputs.curate, inputs.judge, inputs.resources),
        commands=COMMANDS,
        rounding=ROUNDING,
        base_model=evidence.key_value_table(inputs.base_model),
        data=evidence.key_value_table(inputs.data_hashes, "Data", "MD5, size, and the stage that wrote it"),
        environment=evidence.key_value_table(inputs.environment),
        parameters=evidence.key_value_table(inputs.parameters, "Parameter", "Value"),
    )


def _disagreements(inputs: ReportInputs) -> dict[Pair, str]:
    """The first pairs of the list, and their scores in words."""
    table = inputs.disagreements
    if table is None or table.empty:
        return {}
    raters = [column for column in table.columns if column not in ("prompt", "seed", "spread")]
    said = {
        (str(row["prompt"]), int(row["seed"])): f"{row['prompt']}, seed {row['seed']}. "
        + _said({rater: float(row[rater]) for rater in raters})
        for row in table.head(MOST_DISAGREEMENTS).to_dict("records")
    }
    pairs = named_pairs(inputs.samples_base, inputs.samples_tuned, inputs.images_base, inputs.images_tuned, list(said))
    return {pair: said[pair.prompt, pair.seed] for pair in pairs}


def _said(scores: Mapping[str, float]) -> str:
    """Who prefers which image; a rater who did not see the pair has no number."""
    sides: dict[str, list[str]] = {"Tuned": [], "Base": [], "Tie": []}
    for rater, score in scores.items():
        if score == score:
            side = "Tuned" if score > 0.5 else "Base" if score < 0.5 else "Tie"
            sides[side].append(evidence_tables.rater_label(rater))
    return " ".join(f"{side}: {', '.join(raters)}." for side, raters in sides.items() if raters)


def _curated(curate: Metrics | None) -> str:
    if curate is None:
        return ""
    return f"{figure_of(curate, 'kept', 'count')} kept, {figure_of(curate, 'rejected', 'count')} rejected by curation."


def _table_1(replication: Metrics | None, inputs: ReportInputs) -> Table | None:
    if replication is None:
        return None
    return paper_tables.replication_table(replication, inputs.measure_base, inputs.measure_tuned)
