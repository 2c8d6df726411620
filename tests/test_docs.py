"""The commands in README and docs: each names things that exist, with parameters that are allowed."""

from __future__ import annotations

import importlib.util
import re
import shlex
import subprocess
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from stages.params import merge, read_yaml, resolve
from tests.clones import environment, run
from tests.conftest import ROOT

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)")
KNOWN = {"make", "dvc", "python", "git", "source", "squeue", "sbatch", "sky", "export", "pip"}


def commands() -> list[tuple[str, list[str]]]:
    """(page, words) of every command in a shell block; assignments before a command are dropped."""
    found = []
    for page in PAGES:
        for language, _, body in BLOCK.findall(page.read_text()):
            if language in ("sh", "bash"):
                for line in body.replace("\\\n", " ").split("\n"):
                    for part in re.split(r"\s&&\s|\s\|\s", line):
                        words = shlex.split(part, comments=True)
                        while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
                            words.pop(0)
                        if words:
                            found.append((page.name, words))
    return found


COMMANDS = commands()


def of(program: str) -> list[Any]:
    chosen = [(page, words) for page, words in COMMANDS if words[0] == program]
    return [pytest.param(words, id=f"{page}: {' '.join(words)}"[:90]) for page, words in chosen]


def test_every_command_is_one_that_is_checked() -> None:
    assert len(COMMANDS) > 30
    assert {words[0] for _, words in COMMANDS} <= KNOWN | {"for", "do", "done", "CUDA_VISIBLE_DEVICES"}


@pytest.mark.parametrize("words", of("make"))
def test_make_targets_exist(words: list[str]) -> None:
    done = subprocess.run(["make", "-n", *words[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("words", of("python"))
def test_modules_exist(words: list[str]) -> None:
    assert words[1] == "-m" and importlib.util.find_spec(words[2]) is not None


@pytest.mark.parametrize(
    "words", [each for each in of("dvc") if "-S" in each.values[0] or "--set-param" in each.values[0]]
)
def test_parameters_of_experiments_are_allowed(words: list[str]) -> None:
    raw = read_yaml(ROOT / "params.yaml")
    for flag, change in pairwise(words):
        if flag == "-S":
            key, _, value = change.partition("=")
            # A sweep lists several values; the first stands for all.
            value = value.split(",")[0] if "--queue" in words and value[0] != "[" else value
            changes: Any = yaml.safe_load(value)
            for part in reversed(key.split(".")):
                changes = {part: changes}
            raw = merge(raw, changes)
    assert resolve(raw).profile


@pytest.mark.parametrize("words", of("dvc"))
@pytest.mark.slow
def test_dvc_knows_the_command(words: list[str]) -> None:
    verb = [word for word in words[1:3] if re.fullmatch("[a-z-]+", word) and not word.startswith("-")]
    nested = verb[:2] if verb[0] in ("exp", "remote", "metrics", "params", "plots", "queue", "cache") else verb[:1]
    help_text = run(ROOT, "dvc", *nested, "--help").stdout
    for word in words[1:]:
        if word.startswith("--"):
            assert word.split("=")[0] in help_text, f"{word} is no option of dvc {' '.join(nested)}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text()):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.slow
@pytest.mark.parametrize(
    "command", ["python -m stages.collect --dry-run", "python -m stages.summary", "dvc exp list", "dvc dag --mermaid"]
)
def test_cheap_commands_run_as_they_stand(command: str) -> None:
    done = subprocess.run(
        shlex.split(command), cwd=ROOT, env=environment(), capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
