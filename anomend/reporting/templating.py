"""The two template environments. Prompts and file names may contain markup, so both escape what they print."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined

TEMPLATES = Path(__file__).parent / "templates"


def html_environment() -> Environment:
    """Escapes everything except what a template marks as safe: the charts, which this package draws."""
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def markdown_environment(templates: Path = TEMPLATES) -> Environment:
    """Without automatic escaping: templates print texts through `md`, addresses through `address`.

    Args:
        templates: folder of the templates.
    """
    environment = Environment(
        loader=FileSystemLoader(templates),
        autoescape=False,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["md"] = escape_markdown
    environment.filters["address"] = lambda path: quote(path, safe="/:?&=%#.-_~")
    return environment


def escape_markdown(text: str) -> str:
    """Text on one line that GitHub's Markdown shows as it is: without markup, table cells or mentions."""
    text = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    # An underscore within a word is not markup; escaping it would only make keys hard to read.
    text = re.sub(r"([\\`*\[\]|~#!])|((?<!\w)_|_(?!\w))", r"\\\g<0>", text)
    return text.replace("@", "@\u200b")
