"""Charts as SVG for inlining: transparent, in the page's own text colour, and the same bytes for the same figures."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from anomend.reporting.rates import PromptRates
from anomend.statistics import Rate

BASE_COLOUR, TUNED_COLOUR = "#c2620e", "#2a7fd4"
"""Each at least 3:1 against the light and the dark page; markers differ as well."""
INK = "#010203"
"""Stands for the page's text colour, by which it is replaced in the finished SVG."""
_WIDTH = 5.0
"""Inches. Narrow, so that the text stays readable when the chart is scaled to a phone."""

STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "anomend",
    "text.parse_math": False,  # A prompt may hold dollar signs.
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


def rate_chart(rates: Sequence[PromptRates], name: str = "rates") -> str:
    """Anomaly rates of base and tuned model prompt by prompt, with 95% Wilson intervals, as SVG.

    Args:
        rates: as `rates.prompt_rates` returns them; drawn from top to bottom.
        name: prefix of the ids in the SVG.
    """
    with matplotlib.rc_context(STYLE):
        figure, axes = new_figure(0.9 + 0.52 * len(rates))
        for row, prompt in enumerate(rates):
            group = prompt.group.replace("_", "-")
            axes.text(0, row - 0.28, f"{_shortened(prompt.prompt)}  ({group})", va="bottom", ha="left")
            _draw_rate(axes, prompt.base, row - 0.08, BASE_COLOUR, "o", "base" if row == 0 else "")
            _draw_rate(axes, prompt.tuned, row + 0.16, TUNED_COLOUR, "s", "tuned" if row == 0 else "")
        axes.set_xlim(-2, 102)
        axes.set_ylim(len(rates) - 0.5, -0.8)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.grid(axis="x", color=INK, alpha=0.15, linewidth=0.6)
        axes.set_xlabel("anomalous images, % (95% Wilson interval)")
        if any(rate for prompt in rates for rate in (prompt.base, prompt.tuned)):
            axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, borderaxespad=0)
        return as_svg(figure, name)


def _draw_rate(axes: Axes, rate: Rate | None, y: float, colour: str, marker: str, label: str) -> None:
    if rate is not None:
        axes.plot([100 * rate.ci_low, 100 * rate.ci_high], [y, y], color=colour, linewidth=1.6, solid_capstyle="butt")
        axes.plot([100 * rate.value], [y], marker, color=colour, markersize=5, label=label or None, clip_on=False)


def new_figure(height: float) -> tuple[Figure, Axes]:
    """A figure of the page's width and this height, in inches; to be used within `rc_context(STYLE)`."""
    figure = Figure(figsize=(_WIDTH, height), layout="constrained")
    FigureCanvasSVG(figure)
    return figure, figure.add_subplot()


def _shortened(text: str, length: int = 56) -> str:
    text = " ".join(text.split())
    return text if len(text) <= length else text[: length - 1] + "…"


def as_svg(figure: Figure, name: str) -> str:
    """The figure as an SVG element without prolog, metadata or fixed size; ids get a prefix."""
    buffer = io.StringIO()
    metadata = {"Date": None, "Creator": None, "Format": None, "Type": None}
    figure.savefig(buffer, format="svg", transparent=True, metadata=metadata)
    svg = buffer.getvalue()
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    svg = re.sub(r'^<svg[^>]*?(viewBox="[^"]*")[^>]*>', r'<svg \1 aria-hidden="true">', svg)
    # Within tags only: a prompt may hold any text.
    return re.sub(r"<[^>]+>", lambda tag: _own_tag(tag.group(), name), svg).strip() + "\n"


def _own_tag(tag: str, name: str) -> str:
    tag = re.sub(r'\bid="', f'id="{name}-', tag).replace("xlink:href", "href").replace("'DejaVu Sans'", "inherit")
    return tag.replace('href="#', f'href="#{name}-').replace("url(#", f"url(#{name}-").replace(INK, "currentColor")
