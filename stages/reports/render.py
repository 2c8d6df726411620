"""The report's one entry: gather what it says, then print it as Markdown and as HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stages.reports import evidence_tables, tables
from stages.reports.figures import loss_chart, rate_chart
from stages.reports.grid import Pair, first_pairs, named_pairs, picture_uri, thumbnails
from stages.reports.inputs import Metrics, ReportInputs
from stages.reports.rates import prompt_rates
from stages.reports.tables import Table
from stages.reports.templating import html_environment, markdown_environment

MOST_DISAGREEMENTS = 6
CONTACT_SHEET_WIDTH = 1200
CHOICE_WORDS = {(True, False): "tuned", (False, True): "base", (False, False): "tie"}
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
    headline: Sequence[str]
    clauses: Table
    pairs: Mapping[str, list[Pair]]
    """By prompt."""
    grid_image: str | None
    prompts: Table
    compare: Table
    replication: Table | None
    judge: Table | None
    survey: Table | None
    agreement: Table | None
    disagreements: Mapping[Pair, str]
    """Pairs on which raters differ most, and what each says."""
    contact_sheet: str | None
    """As a `data:` URI."""
    costs: Table
    base_model: Table
    data: Table
    environment: Table
    parameters: Table


def render_report(inputs: ReportInputs) -> tuple[str, str]:
    """Render the report of a run.

    Args:
        inputs: what was measured; see `ReportInputs`.

    Returns:
        The Markdown report, for a pull-request comment, and the HTML report, one page without any external request and
        below 5 MB. The same inputs give the same bytes.

    Raises:
        ValueError: base and tuned images share no prompt and seed, or an image cannot be read.
    """
    rates = prompt_rates(inputs.images_base, inputs.images_tuned)
    pairs = first_pairs(
        inputs.samples_base, inputs.samples_tuned, inputs.images_base, inputs.images_tuned, inputs.pairs_per_prompt
    )
    content = _content(inputs, pairs, tables.prompt_table(rates))
    shown = list(dict.fromkeys([*pairs, *content.disagreements]))
    thumbs = dict(zip(shown, thumbnails(shown), strict=True))
    loss = None if inputs.train_loss is None or inputs.train_loss.empty else loss_chart(inputs.train_loss)
    html = html_environment().get_template("report.html.jinja")
    markdown = markdown_environment().get_template("report.md.jinja")
    return (
        markdown.render(c=content),
        html.render(c=content, thumbnails=thumbs, rate_chart=rate_chart(rates), loss_chart=loss),
    )


def _content(inputs: ReportInputs, pairs: Sequence[Pair], prompts: Table) -> Content:
    decision = inputs.verdict["verdict"]
    by_prompt: dict[str, list[Pair]] = {}
    for pair in pairs:
        by_prompt.setdefault(pair.prompt, []).append(pair)
    evidence = evidence_tables
    return Content(
        title=inputs.title,
        profile=str(inputs.parameters.get("profile", "")),
        verdict=decision,
        verdict_words=VERDICTS[decision],
        reasons=inputs.verdict["reasons"],
        headline=tables.headline(inputs.verdict, inputs.compare),
        clauses=tables.clause_table(inputs.verdict),
        pairs=by_prompt,
        grid_image=inputs.grid_image,
        prompts=prompts,
        compare=tables.compare_table(inputs.compare),
        replication=_table_1(inputs.replication, inputs),
        judge=None if inputs.judge is None else evidence.judge_table(inputs.judge),
        survey=None if inputs.survey is None else evidence.survey_table(inputs.survey),
        agreement=None if inputs.agreement is None else evidence.agreement_table(inputs.agreement),
        disagreements=_disagreements(inputs),
        contact_sheet=None if inputs.contact_sheet is None else picture_uri(inputs.contact_sheet, CONTACT_SHEET_WIDTH),
        costs=evidence.cost_table(inputs.collect, inputs.curate, inputs.train, inputs.resources),
        base_model=evidence.key_value_table(inputs.base_model),
        data=evidence.key_value_table(inputs.data_hashes, "Data", "Hash"),
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
        (str(row["prompt"]), int(row["seed"])): ", ".join(
            f"{evidence_tables.rater_label(rater)} {CHOICE_WORDS[float(row[rater]) > 0.5, float(row[rater]) < 0.5]}"
            for rater in raters
            if row[rater] == row[rater]  # Not a number: this rater did not see the pair.
        )
        for row in table.head(MOST_DISAGREEMENTS).to_dict("records")
    }
    pairs = named_pairs(inputs.samples_base, inputs.samples_tuned, inputs.images_base, inputs.images_tuned, list(said))
    return {pair: said[pair.prompt, pair.seed] for pair in pairs}


def _table_1(replication: Metrics | None, inputs: ReportInputs) -> Table | None:
    if replication is None:
        return None
    return evidence_tables.replication_table(replication, inputs.measure_base, inputs.measure_tuned)
