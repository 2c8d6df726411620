"""Charts as SVG for inlining: transparent, in the page's own text colour, and the same bytes for the same data."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from anomend.project.model_words import BASE_AND_TUNED, ModelWords
from anomend.reporting.rates import PromptRates
from anomend.statistics.rate import Rate

BASE_COLOUR, TUNED_COLOUR = "#c2620e", "#2a7fd4"
"""Each at least 3:1 against the light and the dark page; markers differ as well."""
INK = "#010203"
"""A placeholder, which the finished SVG replaces by the page's text colour."""
_WIDTH = 5.0
"""Inches. Narrow, so that the text stays readable when the chart is scaled to a phone."""

STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "anomend",
    "text.parse_math": False,  # A prompt may contain dollar signs.
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
}


def rate_chart(rates: Sequence[PromptRates], name: str = "rates", words: ModelWords = BASE_AND_TUNED) -> str:
    """Anomaly rates of base and tuned model prompt by prompt, with 95% Wilson intervals, as SVG.

    Args:
        rates: as `rates.prompt_rates` returns them; drawn from top to bottom.
        name: prefix of the ids in the SVG.
        words: what the two models are called.
    """
    with matplotlib.rc_context(STYLE):
        chart, axes = new_chart(0.9 + 0.52 * len(rates), left=0.1, top=0.3)
        for row, prompt in enumerate(rates):
            group = prompt.group.replace("_", "-")
            axes.text(0, row - 0.28, f"{_shortened(prompt.prompt)}  ({group})", va="bottom", ha="left")
            base_label, tuned_label = (words.base, words.tuned) if row == 0 else (None, None)
            _draw_rate(axes, prompt.base, y=row - 0.08, colour=BASE_COLOUR, marker="o", label=base_label)
            _draw_rate(axes, prompt.tuned, y=row + 0.16, colour=TUNED_COLOUR, marker="s", label=tuned_label)
        axes.set_xlim(-2, 102)
        axes.set_ylim(len(rates) - 0.5, -0.8)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.grid(axis="x", color=INK, alpha=0.15, linewidth=0.6)
        axes.set_xlabel("anomalous images, % (95% Wilson interval)")
        if any(rate for prompt in rates for rate in (prompt.base, prompt.tuned)):
            axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, borderaxespad=0)
        return as_svg(chart, name)


def _draw_rate(axes: Axes, rate: Rate | None, *, y: float, colour: str, marker: str, label: str | None) -> None:
    if rate is not None:
        axes.plot([100 * rate.ci_low, 100 * rate.ci_high], [y, y], color=colour, linewidth=1.6, solid_capstyle="butt")
        axes.plot([100 * rate.value], [y], marker, color=colour, markersize=5, label=label, clip_on=False)


def new_chart(height: float, *, left: float = 0.7, top: float = 0.1) -> tuple[Figure, Axes]:
    """An empty chart of the page's width and this height, to be used within `rc_context(STYLE)`.

    Args:
        height: inches.
        left: inches beside the axes, for tick labels and a label.
        top: inches above the axes; a legend there needs 0.3. Matplotlib's own layout would draw every chart twice.
    """
    right, bottom = 0.1, 0.45
    chart = Figure(figsize=(_WIDTH, height))
    FigureCanvasSVG(chart)
    box = (left / _WIDTH, bottom / height, 1 - (left + right) / _WIDTH, 1 - (bottom + top) / height)
    return chart, chart.add_axes(box)


def _shortened(text: str, length: int = 56) -> str:
    text = " ".join(text.split())
    return text if len(text) <= length else text[: length - 1] + "…"


def as_svg(chart: Figure, name: str) -> str:
    """The chart as an SVG element without prolog, metadata or fixed size; `name` is the prefix of its ids."""
    buffer = io.StringIO()
    metadata = {"Date": None, "Creator": None, "Format": None, "Type": None}
    chart.savefig(buffer, format="svg", transparent=True, metadata=metadata)
    svg = buffer.getvalue()
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    svg = re.sub(r'^<svg[^>]*?(viewBox="[^"]*")[^>]*>', r'<svg \1 aria-hidden="true">', svg)
    # Within tags only: a prompt may contain any text.
    return re.sub(r"<[^>]+>", lambda tag: _tag_of_page(tag.group(), name), svg).strip() + "\n"


def renamed(svg: str, name: str, other: str) -> str:
    """A chart of `as_svg` for a second place on the page: its ids begin with another name."""
    ids = re.compile(rf'(\bid="|href="#|url\(#){re.escape(name)}-')
    return re.sub(r"<[^>]+>", lambda tag: ids.sub(rf"\g<1>{other}-", tag.group()), svg)


def _tag_of_page(tag: str, name: str) -> str:
    """A tag with prefixed ids, in the page's font and text colour."""
    tag = re.sub(r'\bid="', f'id="{name}-', tag).replace("xlink:href", "href").replace("'DejaVu Sans'", "inherit")
    return tag.replace('href="#', f'href="#{name}-').replace("url(#", f"url(#{name}-").replace(INK, "currentColor")
