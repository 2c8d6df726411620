"""The report's one entry: gather what it says, then write it as Markdown and as HTML."""

from __future__ import annotations

from anomend.reporting.charts import rate_chart
from anomend.reporting.content import content_of
from anomend.reporting.gallery import OUTCOMES, script_data
from anomend.reporting.inputs import ReportInputs
from anomend.reporting.rates import prompt_rates
from anomend.reporting.templating import html_environment, markdown_environment
from anomend.reporting.thumbnails import thumbnails

READS = (
    "templates/report.*.jinja",
    "templates/macros.html.jinja",
    "templates/style.css",
    "templates/gallery.css",
    "templates/gallery.js",
)
"""Files that this module reads: a change of them is a change of its code."""


def render_report(inputs: ReportInputs) -> tuple[str, str]:
    """Render the report of a run.

    Args:
        inputs: the run.

    Returns:
        The Markdown report, for a pull-request comment, and the HTML report: one page below 5 MB, which asks no other
        machine for anything. It looks for full-resolution pictures, and for who made it, in the folders beside it. The
        same inputs give the same bytes.

    Raises:
        ValueError: base and tuned images share no prompt and seed, or an image cannot be read.
    """
    rates = prompt_rates(inputs.measure_base, inputs.measure_tuned)
    content = content_of(inputs, rates)
    shown = content.gallery.embedded
    numbers = {pair: number for number, pair in enumerate(shown)}
    every = content.gallery.every
    html = html_environment().get_template("report.html.jinja")
    markdown = markdown_environment().get_template("report.md.jinja")
    counts = content.gallery.counts("target")
    return (
        markdown.render(c=content, counts=counts, outcomes=OUTCOMES),
        html.render(
            c=content,
            counts=counts,
            outcomes=OUTCOMES,
            numbers=numbers,
            prompts=list(dict.fromkeys(pair.prompt for pair in every)),
            kinds=sorted({kind for pair in every for image in (pair.base, pair.tuned) for kind in image.kinds}),
            data=script_data(
                content.gallery, numbers, inputs.full_size or "", models=(inputs.words.base, inputs.words.tuned)
            ),
            thumbnails=dict(zip(shown, thumbnails(shown), strict=True)),
            rate_chart=rate_chart(rates, words=inputs.words),
        ),
    )
