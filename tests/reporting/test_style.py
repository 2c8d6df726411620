"""Contrast of text and charts on the light and on the dark page, by WCAG 2."""

from __future__ import annotations

import re

from anomend.reporting.charts import BASE_COLOUR, TUNED_COLOUR
from anomend.reporting.templating import TEMPLATES


def test_text_colours_have_contrast_in_light_and_dark() -> None:
    """WCAG 2: 4.5:1 for text."""
    style = (TEMPLATES / "style.css").read_text()
    for theme in re.findall(r":root \{(.*?)\}", style, flags=re.DOTALL):
        colours = dict(re.findall(r"--(\w+): (#\w{6})", theme))
        for name in ("ink", "soft", "link", "good", "bad", "open"):
            assert contrast(colours[name], colours["page"]) >= 4.5, name
        for name in ("ink", "soft", "link", "good", "bad", "open"):
            assert contrast(colours[name], colours["panel"]) >= 4.5, name


def test_chart_colours_have_contrast_in_light_and_dark() -> None:
    """WCAG 2: 3:1 for graphics."""
    pages = re.findall(r"--page: (#\w{6})", (TEMPLATES / "style.css").read_text())
    assert len(pages) == 2
    assert all(contrast(colour, page) >= 3 for colour in (BASE_COLOUR, TUNED_COLOUR) for page in pages)


def contrast(first: str, second: str) -> float:
    def luminance(colour: str) -> float:
        channels = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)
