"""The report's one entry: gather what it says, then write it as Markdown and as HTML."""

from __future__ import annotations

from anomend.reporting.charts import rate_chart
from anomend.reporting.content import content_of
from anomend.reporting.inputs import ReportInputs
from anomend.reporting.rates import prompt_rates
from anomend.reporting.templating import html_environment, markdown_environment
from anomend.reporting.thumbnails import thumbnails

READS = ("templates/report.*.jinja", "templates/macros.html.jinja", "templates/style.css")
"""Files that this module reads: a change of them is a change of its code."""


def render_report(inputs: ReportInputs) -> tuple[str, str]:
    """Render the report of a run.

    Args:
        inputs: the run.

    Returns:
        The Markdown report, for a pull-request comment, and the HTML report, one page without any external request and
        below 5 MB. The same inputs give the same bytes.

    Raises:
        ValueError: base and tuned images share no prompt and seed, or an image cannot be read.
    """
    rates = prompt_rates(inputs.measure_base, inputs.measure_tuned)
    content = content_of(inputs, rates)
    shown = list(dict.fromkeys([*inputs.first_pairs, *content.disagreements]))
    thumbnails_of = dict(zip(shown, thumbnails(shown), strict=True))
    html = html_environment().get_template("report.html.jinja")
    markdown = markdown_environment().get_template("report.md.jinja")
    return (
        markdown.render(c=content),
        html.render(c=content, thumbnails=thumbnails_of, rate_chart=rate_chart(rates, words=inputs.words)),
    )
