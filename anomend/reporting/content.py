"""The content of a report, in its order, before it is written as Markdown or HTML."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from anomend.project.model_words import BASE_AND_TUNED, ModelWords, capital
from anomend.reporting import evidence_tables, paper_tables, people, tables
from anomend.reporting.charts import renamed
from anomend.reporting.formatting import metric_text
from anomend.reporting.glance import KeyAnswer, key_answers, subject
from anomend.reporting.inputs import Metrics, ReportInputs
from anomend.reporting.pairs import ImagePair, named_pairs
from anomend.reporting.paper_figures import PaperFigure, paper_figures
from anomend.reporting.rates import PromptRates
from anomend.reporting.reproduction import COMMANDS, ROUNDING
from anomend.reporting.tables import Table
from anomend.reporting.thumbnails import picture_uri
from anomend.reporting.training_section import LOSS, training_charts, training_samples

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
    ("people", "People's labels"),
    ("survey", "Survey"),
    ("agreement", "Agreement"),
    ("paper", "The paper"),
    ("costs", "Costs"),
    ("reproduce", "Reproduce this run"),
)
"""Ids and headings of the page's parts."""
VERDICTS = {"corrected": "✓ Corrected", "not_corrected": "✗ Not corrected", "inconclusive": "? Inconclusive"}

QUICK = " (a quick run, which proves nothing)"


@dataclass(frozen=True)
class Content:
    """The content of a report, in its order; a table that is None was not part of the run."""

    title: str
    profile: str
    verdict: str
    """corrected | not_corrected | inconclusive."""
    verdict_words: str
    reasons: Sequence[str]
    scope: Sequence[str]
    """What the verdict is about, in sentences."""
    subject: str
    key_answers: Sequence[KeyAnswer]
    clauses: Table
    advice: Sequence[str]
    """How many images would settle the clauses that are not settled."""
    contents: Sequence[tuple[str, str]]
    words: ModelWords
    """What the two models are called."""
    against: str
    """What is held against what, for the head of the page."""
    pairs: Mapping[str, Mapping[ImagePair, str]]
    """By prompt; each pair with its caption."""
    picture: str | None
    """Address of the side-by-side picture."""
    prompts: Table
    kinds: Table
    compare: Table
    sets: Table
    training: Table
    curves: Mapping[str, str]
    """Charts of the training by their titles, as SVG."""
    training_samples: Mapping[int, str]
    """By step, as `data:` URIs."""
    replication: Table | None
    votes: Table | None
    preferences: Table
    paper_figures: Sequence[PaperFigure]
    judge: Table | None
    people: Table | None
    raters: Table | None
    passport: Table | None
    survey: Table | None
    agreement: Table | None
    disagreements: Mapping[ImagePair, str]
    """Pairs on which raters differ most, and each rater's choice in words."""
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


def content_of(inputs: ReportInputs, rates: Sequence[PromptRates]) -> Content:
    """The content of a run's report; `rates` are the anomaly rates prompt by prompt."""
    decision = inputs.verdict["verdict"]
    by_prompt: dict[str, dict[ImagePair, str]] = {}
    for pair in inputs.first_pairs:
        by_prompt.setdefault(pair.prompt, {})[pair] = f"seed {pair.seed}"
    evidence = evidence_tables
    asked = inputs.people if inputs.people is not None and inputs.people.get("labels") else None
    curves, words = training_charts(inputs), inputs.words
    loss = curves.get(LOSS)
    return Content(
        title=inputs.title,
        profile=str(inputs.parameters.get("profile", "")),
        verdict=decision,
        verdict_words=VERDICTS[decision] + (QUICK if inputs.verdict.get("exploratory") else ""),
        reasons=inputs.verdict["reasons"],
        scope=inputs.verdict["scope"],
        subject=subject(inputs),
        key_answers=key_answers(inputs, rates),
        clauses=tables.clause_table(inputs.verdict, words),
        advice=tables.sample_advice(inputs.verdict, words),
        contents=CONTENTS,
        words=words,
        against=_against(inputs),
        pairs=by_prompt,
        picture=inputs.picture,
        prompts=tables.prompt_table(rates, words),
        kinds=tables.kind_table(inputs.measure_base, inputs.measure_tuned, words),
        compare=tables.compare_table(inputs.compare, words),
        sets=tables.set_table(inputs.measure_base, inputs.measure_tuned, words),
        training=evidence.training_table(inputs.train),
        curves=curves,
        training_samples=training_samples(inputs.training_samples),
        replication=_table_1(inputs.replication, inputs),
        votes=None if inputs.replication is None else paper_tables.vote_table(inputs.replication),
        preferences=paper_tables.preference_table(
            replication=inputs.replication,
            paper_judges=inputs.paper_judges,
            judges=inputs.judge,
            survey=inputs.survey,
        ),
        paper_figures=paper_figures(inputs, loss and renamed(loss, "loss", "figure-7")),
        judge=None if inputs.judge is None else evidence.judge_table(inputs.judge, words),
        people=people.people_table(asked, words) if asked else None,
        raters=people.rater_table(asked) if asked else None,
        passport=None if inputs.passport is None else people.passport_table(inputs.passport, words),
        survey=None if inputs.survey is None else evidence.survey_table(inputs.survey, words),
        agreement=None if inputs.agreement is None else evidence.agreement_table(inputs.agreement),
        disagreements=_disagreements(inputs),
        contact_sheet=None if inputs.contact_sheet is None else picture_uri(inputs.contact_sheet, CONTACT_SHEET_WIDTH),
        curated=_curated(inputs.curate),
        costs=evidence.cost_table(
            collect=inputs.collect, curate=inputs.curate, judge=inputs.judge, sampled=inputs.sampled, words=words
        ),
        commands=COMMANDS,
        rounding=ROUNDING,
        base_model=evidence.key_value_table(inputs.base_model),
        data=evidence.key_value_table(inputs.data_hashes, "Data", "MD5, size, and the stage that wrote it"),
        environment=evidence.key_value_table(inputs.environment),
        parameters=evidence.key_value_table(inputs.parameters, "Parameter", "Value"),
    )


def _disagreements(inputs: ReportInputs) -> dict[ImagePair, str]:
    """The first pairs of the table, and their scores in words."""
    table = inputs.disagreements
    if table is None or table.empty:
        return {}
    raters = [column for column in table.columns if column not in ("prompt", "seed", "spread")]
    captions = {
        (str(row["prompt"]), int(row["seed"])): f"{row['prompt']}, seed {row['seed']}. "
        + _preferences({rater: float(row[rater]) for rater in raters}, inputs.words)
        for row in table.head(MOST_DISAGREEMENTS).to_dict("records")
    }
    return {pair: captions[pair.prompt, pair.seed] for pair in named_pairs(inputs.pairs, list(captions))}


def _preferences(scores: Mapping[str, float], words: ModelWords) -> str:
    """Which rater prefers which image; the score of a rater who did not see the pair is NaN."""
    base, tuned = words.heads()
    sides: dict[str, list[str]] = {tuned: [], base: [], "Tie": []}
    for rater, score in scores.items():
        if not math.isnan(score):
            side = tuned if score > 0.5 else base if score < 0.5 else "Tie"
            sides[side].append(evidence_tables.rater_label(rater))
    return " ".join(f"{side}: {', '.join(raters)}." for side, raters in sides.items() if raters)


def _against(inputs: ReportInputs) -> str:
    words = inputs.words
    if words != BASE_AND_TUNED:
        return f"{capital(words.tuned_model)} against {words.base_model}"
    foreign = ((inputs.sampled or {}).get("loras") or {}).get("tuned")
    return "Base model against " + (f"the LoRA of {foreign['author']}" if foreign else "its fine-tuned LoRA")


def _curated(curate: Metrics | None) -> str:
    if curate is None:
        return ""
    return (
        f"{metric_text(curate, 'kept', 'count')} kept, {metric_text(curate, 'rejected', 'count')} rejected by curation."
    )


def _table_1(replication: Metrics | None, inputs: ReportInputs) -> Table | None:
    if replication is None:
        return None
    return paper_tables.replication_table(replication, inputs.measure_base, inputs.measure_tuned, inputs.words)
