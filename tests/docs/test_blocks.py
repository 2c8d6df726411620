"""What the documentation names exists: commands, targets, modules, options, parameters, pages."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from markdown_it import MarkdownIt

from anomend.params.profiles import merge
from tests.clones import run
from tests.conftest import ROOT
from tests.docs.blocks import NOT_RUN, PAGES, blocks, commands
from tests.parameters import params_of, user_params

LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)")
ANCHOR = re.compile(r"\]\((?!https?:)([^)#\s]*)#([^)\s]+)\)")
PROGRAMS = {
    "echo",
    "make",
    "dvc",
    "gto",
    "python",
    "git",
    "source",
    "sbatch",
    "sky",
    "export",
    "python3.11",
    "/tmp/peer/bin/pip",
}
SHELL = [block for block in blocks() if block.language in ("sh", "bash")]
COMMANDS = [(block.page, words) for block in SHELL for words in commands(block)]
FOLDERS = ("studies", "data/labels", "data/survey", "report")
LINKING = sorted({*PAGES, *(page for folder in FOLDERS for page in (ROOT / folder).rglob("*.md"))})
NESTED = ("exp", "remote", "metrics", "params", "plots", "queue", "cache")
"""DVC commands that have subcommands."""


def of(program: str, *, with_word: str = "") -> list[Any]:
    """The pages' commands of one program, as a test's parameters."""
    commands_of_program = [
        (page, words) for page, words in COMMANDS if words[0] == program and (not with_word or with_word in words)
    ]
    return [pytest.param(words, id=f"{page}: {' '.join(words)}"[:90]) for page, words in commands_of_program]


def test_every_block_has_a_language_that_the_tests_run() -> None:
    assert len(SHELL) > 25 and {block.language for block in blocks()} <= {"sh", "bash", "python"}
    assert {words[0] for _, words in COMMANDS} <= PROGRAMS


@pytest.mark.parametrize("page", [pytest.param(page, id=str(page.relative_to(ROOT))) for page in LINKING])
def test_each_row_of_a_table_has_as_many_cells_as_its_head(page: Path) -> None:
    lines, width = [line.strip() for line in page.read_text().splitlines()], 0
    for number, line in enumerate(lines, 1):
        cells = len(re.findall(r"(?<!\\)\|", line)) if line.startswith("|") else 0
        assert not cells or cells == (width or cells), f"line {number}: {line}"
        width = cells


def test_each_command_that_no_test_runs_is_in_its_page_and_has_a_reason() -> None:
    for page, lines in NOT_RUN.items():
        written = {line for block in blocks() if block.page == page for line in block.lines()}
        assert set(lines) <= written, f"{page} no longer says {set(lines) - written}"
        assert all(lines.values())


@pytest.mark.parametrize("words", of("make"))
def test_make_targets_exist(words: list[str]) -> None:
    done = subprocess.run(["make", "-n", *words[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("words", of("python"))
def test_modules_exist(words: list[str]) -> None:
    assert words[1] == "-m" and importlib.util.find_spec(words[2]) is not None


@pytest.mark.parametrize("words", of("dvc", with_word="-S"))
def test_parameters_of_experiments_are_allowed(words: list[str]) -> None:
    raw = user_params()
    for flag, change in pairwise(words):
        if flag == "-S" and change != "profile=scanned":  # `make scan` writes that profile.
            key, _, value = change.partition("=")
            # A sweep lists several values; checking the first is enough.
            value = value.split(",")[0] if "--queue" in words and value[0] != "[" else value
            changes: Any = yaml.safe_load(value)
            for part in reversed(key.split(".")):
                changes = {part: changes}
            raw = merge(raw, changes)
    assert params_of(raw).profile


def not_run(program: str) -> list[str]:
    return sorted({line for lines in NOT_RUN.values() for line in lines if line.startswith(f"{program} ")})


@pytest.mark.slow
@pytest.mark.parametrize("line", [*not_run("dvc"), *not_run("python")])
def test_options_of_commands_that_are_not_run_exist(line: str) -> None:
    words = line.split()
    command = [sys.executable, *words[1:3]] if words[0] == "python" else words[: 3 if words[1] in NESTED else 2]
    help_text = run(ROOT, *command, "--help").stdout
    for word in words[len(command) :]:
        if re.match(r"--?[a-zA-Z]", word):
            assert re.search(rf"(?<![\w-]){re.escape(word.split('=')[0])}\b", help_text), f"{command} has no {word}"


@pytest.mark.parametrize("page", LINKING, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files(page: Path) -> None:
    for target in LINK.findall(page.read_text()):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


def anchors(page: Path) -> set[str]:
    """What GitHub makes of a page's headings: lower case, blanks as hyphens, no other punctuation."""
    tokens = pairwise(MarkdownIt().parse(page.read_text()))
    headings = [text.content for opening, text in tokens if opening.type == "heading_open"]
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", LINKING, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_headings(page: Path) -> None:
    for target, anchor in ANCHOR.findall(page.read_text()):
        assert anchor in anchors((page.parent / target) if target else page), f"{page.name}: {target}#{anchor}"


def folders_in_git(under: Path) -> set[str]:
    """Folders right below a folder that have a file in git; hidden ones are left out."""
    names = run(under, "git", "ls-files").stdout.splitlines()
    return {name.partition("/")[0] for name in names if "/" in name and not name.startswith(".")}


def test_the_map_in_the_readme_has_every_folder_and_every_package() -> None:
    drawing = (ROOT / "README.md").read_text().partition("## Map")[2].split("```")[1]
    rows = re.findall(r"^( *)(\w+)/ +\S", drawing, re.MULTILINE)
    assert sorted(name for indent, name in rows if not indent) == sorted(folders_in_git(ROOT))
    assert sorted(name for indent, name in rows if indent) == sorted(folders_in_git(ROOT / "anomend"))


def test_the_layers_in_contributing_name_every_package_once() -> None:
    drawing = (ROOT / "CONTRIBUTING.md").read_text().partition("go down these layers")[2].split("```")[1]
    named = re.findall(r"\w+", drawing)
    assert sorted(named) == sorted({*folders_in_git(ROOT / "anomend"), "stages", "scan", "commands", "studies"})
