"""The content of a report, in its order, before it is written as Markdown or HTML."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from anomend.project.model_words import BASE_AND_TUNED, ModelWords, capital
from anomend.reporting import clauses, evidence_tables, opening, paper_tables, people, run_facts, tables
from anomend.reporting.charts import renamed
from anomend.reporting.formatting import metric_text
from anomend.reporting.gallery import Gallery, gallery
from anomend.reporting.inputs import Metrics, ReportInputs
from anomend.reporting.pairs import ImagePair, named_pairs
from anomend.reporting.paper_figures import PaperFigure, paper_figures
from anomend.reporting.rates import PromptRates
from anomend.reporting.reproduction import COMMANDS, ROUNDING
from anomend.reporting.tables import Table
from anomend.reporting.thumbnails import picture_uri
from anomend.reporting.training_section import LOSS, training_charts, training_samples

MOST_DISAGREEMENTS = 6
CONTACT_SHEET_WIDTH = 1000


@dataclass(frozen=True)
class Content:
    """The content of a report, in its order; a table that is None was not part of the run."""

    title: str
    verdict: str
    """corrected | not_corrected | inconclusive."""
    verdict_words: str
    sentence: str
    """The verdict in plain English."""
    evidence: Sequence[str]
    numbers: Sequence[opening.Number]
    subject: str
    words: ModelWords
    """What the two models are called."""
    against: str
    """What is held against what."""
    full_size: str | None
    gallery: Gallery
    picture: str | None
    """Address of the side-by-side picture."""
    clauses: Table
    advice: str
    """How many images would settle the clauses that are not settled."""
    scope: Sequence[str]
    """What the verdict is about, in sentences."""
    elsewhere: Sequence[str]
    """What the correction cost elsewhere, in sentences."""
    kinds: Table | None
    prompts: Table
    absent: str
    """Which evidence there is not, in one line; empty where all is there."""
    judge: Table | None
    people: Table | None
    raters: Table | None
    passport: Table | None
    survey: Table | None
    agreement: Table | None
    facts: Table
    """What was changed, with what, at which cost."""
    compare: Table
    sets: Table
    curves: Mapping[str, str]
    """Charts of the training by their titles, as SVG."""
    training: Table
    training_samples: Mapping[int, str]
    """By step, as `data:` URIs."""
    contact_sheet: str | None
    """As a `data:` URI."""
    curated: str
    """How many images were kept and rejected."""
    replication: Table | None
    votes: Table | None
    preferences: Table
    paper_figures: Sequence[PaperFigure]
    costs: Table
    commands: Sequence[tuple[str, str]]
    rounding: str
    data: Table
    parameters: Table


def content_of(inputs: ReportInputs, rates: Sequence[PromptRates]) -> Content:
    """The content of a run's report; `rates` are the anomaly rates prompt by prompt."""
    decision, evidence = inputs.verdict["verdict"], evidence_tables
    asked = inputs.people if inputs.people is not None and inputs.people.get("labels") else None
    answered = inputs.survey if inputs.survey is not None and inputs.survey.get("n") else None
    judged = run_facts.judges_of(inputs.judge)
    curves, words = training_charts(inputs), inputs.words
    loss = curves.get(LOSS)
    return Content(
        title=inputs.title,
        verdict=decision,
        verdict_words=opening.VERDICTS[decision],
        sentence=opening.verdict_sentence(inputs),
        evidence=opening.evidence_sentences(inputs),
        numbers=opening.numbers(inputs),
        subject=run_facts.subject(inputs),
        words=words,
        against=_against(inputs),
        full_size=inputs.full_size,
        gallery=gallery(inputs.pairs, inputs.first_pairs, _disagreements(inputs)),
        picture=inputs.picture,
        clauses=clauses.clause_table(inputs.verdict, words, changes=opening.printed_changes(inputs)),
        advice=clauses.sample_advice(inputs.verdict, words),
        scope=inputs.verdict["scope"],
        elsewhere=run_facts.elsewhere(inputs, rates),
        kinds=tables.kind_table(inputs.compare, words),
        prompts=tables.prompt_table(rates, words),
        absent=run_facts.absent(labels=asked, survey=answered, judges=judged, agreement=inputs.agreement),
        judge=evidence.judge_table(judged, words) if judged else None,
        people=people.people_table(asked, words) if asked else None,
        raters=people.rater_table(asked) if asked else None,
        passport=people.passport_table(inputs.passport, words) if asked and inputs.passport is not None else None,
        survey=evidence.survey_table(answered, words) if answered else None,
        agreement=run_facts.agreement_of(inputs.agreement, judges=judged),
        facts=run_facts.facts(inputs),
        compare=tables.compare_table(inputs.compare, words),
        sets=tables.set_table(inputs.measure_base, inputs.measure_tuned, words),
        curves=curves,
        training=evidence.training_table(inputs.train),
        training_samples=training_samples(inputs.training_samples),
        contact_sheet=None if inputs.contact_sheet is None else picture_uri(inputs.contact_sheet, CONTACT_SHEET_WIDTH),
        curated=_curated(inputs.curate),
        replication=_table_1(inputs.replication, inputs),
        votes=None if inputs.replication is None else paper_tables.vote_table(inputs.replication),
        preferences=paper_tables.preference_table(
            replication=inputs.replication, paper_judges=inputs.paper_judges, judges=judged, survey=inputs.survey
        ),
        paper_figures=paper_figures(inputs, loss and renamed(loss, "loss", "figure-7")),
        costs=evidence.cost_table(
            collect=inputs.collect, curate=inputs.curate, judge=inputs.judge, sampled=inputs.sampled, words=words
        ),
        commands=COMMANDS,
        rounding=ROUNDING,
        data=evidence.key_value_table(inputs.data_hashes, "Data", "MD5, size, and the stage that wrote it"),
        parameters=evidence.key_value_table(inputs.parameters, "Parameter", "Value"),
    )


def _disagreements(inputs: ReportInputs) -> dict[ImagePair, str]:
    """The first pairs of the table, and their scores in words."""
    table = inputs.disagreements
    if table is None or table.empty:
        return {}
    raters = [column for column in table.columns if column not in ("prompt", "seed", "spread")]
    captions = {
        (str(row["prompt"]), int(row["seed"])): _preferences(
            {rater: float(row[rater]) for rater in raters}, inputs.words
        )
        for row in table[table["spread"] > 0].head(MOST_DISAGREEMENTS).to_dict("records")
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
