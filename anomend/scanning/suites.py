"""Suites of prompts: each prompt is one level of each factor, so that its neighbours are known."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from anomend.project.slugs import slug
from anomend.project.text_files import read_text
from anomend.scanning.grammar import read_grammar

PROMPT = "prompt"
"""The column, or the key, of a prompt's text."""


@dataclass(frozen=True, kw_only=True)
class SuitePrompt:
    """One prompt of a suite."""

    prompt: str
    levels: Mapping[str, str]
    """Factor -> level."""

    @property
    def name(self) -> str:
        """Its levels, such as `lying/grass`."""
        return "/".join(self.levels.values())

    def differs_in(self, other: SuitePrompt) -> set[str]:
        """The factors whose levels are not those of another prompt of the same suite."""
        return {factor for factor, level in self.levels.items() if other.levels[factor] != level}


@dataclass(frozen=True)
class Suite:
    """Prompts with the same factors."""

    prompts: tuple[SuitePrompt, ...]

    @property
    def factors(self) -> dict[str, tuple[str, ...]]:
        """The levels of each factor that occur, in the order in which they do."""
        return {
            factor: tuple(dict.fromkeys(prompt.levels[factor] for prompt in self.prompts))
            for factor in self.prompts[0].levels
        }

    def neighbours(self, prompt: SuitePrompt) -> Iterator[SuitePrompt]:
        """The prompts that differ in a single factor."""
        return (other for other in self.prompts if len(prompt.differs_in(other)) == 1)


def read_suite(path: Path) -> Suite:
    """Read a suite: a grammar (.yaml; see `grammar`), or a list (.csv) with `prompt` and one column per factor.

    Raises:
        ValueError: the file is missing or broken, or two prompts are the same; the sentence names the file.
    """
    if not path.is_file():
        raise ValueError(f"scan.suite names {path}, which is not a file: choose one of data/suites, or write your own")
    if path.suffix not in (".yaml", ".csv"):
        raise ValueError(f"scan.suite names {path}: a suite is a grammar (.yaml) or a list (.csv)")
    rows = read_grammar(path) if path.suffix == ".yaml" else _rows_of_list(path)
    suite = Suite(tuple(SuitePrompt(prompt=text, levels=levels) for text, levels in rows))
    _refuse_twins(suite.prompts, path)
    return suite


def list_of(suite: Suite) -> str:
    """A suite as the text of a list, which `read_suite` reads back."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([PROMPT, *suite.factors])
    writer.writerows([prompt.prompt, *prompt.levels.values()] for prompt in suite.prompts)
    return text.getvalue()


def _rows_of_list(path: Path) -> list[tuple[str, dict[str, str]]]:
    reader = csv.DictReader(io.StringIO(read_text(path)))
    factors = [name for name in reader.fieldnames or [] if name != PROMPT]
    if PROMPT not in (reader.fieldnames or []) or len(factors) < 2:
        raise ValueError(f"{path} needs a column `{PROMPT}` and two factors or more, such as pose and place")
    rows = []
    for row in reader:
        cells = {name: (row[name] or "").strip() for name in (PROMPT, *factors)}
        if empty := [name for name, cell in cells.items() if not cell]:
            raise ValueError(f"{path}, line {reader.line_num}: {empty[0]} is empty; fill it in, or delete the line")
        rows.append((cells.pop(PROMPT), cells))
    if not rows:
        raise ValueError(f"{path} lists no prompt: add one line per prompt")
    return rows


def _refuse_twins(prompts: Sequence[SuitePrompt], path: Path) -> None:
    seen: dict[str, str] = {}
    for prompt in prompts:
        for key, what in ((slug(prompt.prompt), "prompt"), (f"/{prompt.name}", "levels")):
            if key in seen:
                raise ValueError(f"{path}: {seen[key]!r} and {prompt.prompt!r} have the same {what}: drop one of them")
            seen[key] = prompt.prompt
