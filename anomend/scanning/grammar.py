"""A grammar of prompts, in YAML: a sentence with gaps, and factors whose levels fill them.

    prompt: "{posture} on the {place}"
    factors:
      posture: {standing: standing, lying: lying}
      place: {grass: grass, street: street}
    without:
      - {posture: [lying], place: [street]}

gives three prompts. A row of `without` leaves out the prompts that have one of its levels for each of its factors.
"""

from __future__ import annotations

import string
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

from anomend.project.yaml_files import read_yaml

KEYS = {"prompt", "factors", "without"}
MOST = 100_000
"""A larger suite is a mistake in a grammar."""


def read_grammar(path: Path) -> list[tuple[str, dict[str, str]]]:
    """The prompts of a grammar, the last factor's level changing first.

    Returns:
        Text and levels of each prompt.

    Raises:
        ValueError: the file is broken, or names something that it does not have; the sentence names the file.
    """
    content = read_yaml(path)
    if unknown := sorted(set(content) - KEYS):
        raise ValueError(f"{path}: {unknown[0]} is not a key of a grammar: use {', '.join(sorted(KEYS))}")
    factors = _factors(content.get("factors"), path)
    sentence = _sentence(content.get("prompt"), factors, path)
    without = [_row(row, factors, path) for row in content.get("without") or []]
    rows = []
    for levels in product(*factors.values()):
        named = dict(zip(factors, levels, strict=True))
        if not any(all(named[factor] in out for factor, out in row.items()) for row in without):
            texts = {factor: factors[factor][level] for factor, level in named.items()}
            rows.append((" ".join(sentence.format(**texts).split()), named))
    if not rows:
        raise ValueError(f"{path} leaves no prompt: `without` takes all of them away")
    return rows


def _factors(content: Any, path: Path) -> dict[str, dict[str, str]]:
    if not isinstance(content, Mapping) or len(content) < 2:
        raise ValueError(f"{path} needs `factors`, two or more, such as pose and place")
    size = 1
    for factor, levels in content.items():
        texts = isinstance(levels, Mapping) and all(isinstance(text, str) for text in levels.values())
        if not texts or not levels or not all(isinstance(level, str) for level in levels):
            raise ValueError(
                f"{path}: the factor {factor} needs levels, each with a text (in quotes: numbers, yes, no)"
            )
        size *= len(levels)
    if size > MOST:
        raise ValueError(f"{path} makes {size:,} prompts, and {MOST:,} are the most: drop levels or factors")
    return {str(factor): dict(levels) for factor, levels in content.items()}


def _sentence(content: Any, factors: Mapping[str, Any], path: Path) -> str:
    if not isinstance(content, str):
        raise ValueError(f"{path} needs `prompt`, a sentence with a gap for each factor, such as {{pose}}")
    try:
        gaps = {name for _, name, _, _ in string.Formatter().parse(content) if name is not None}
    except ValueError:
        raise ValueError(f"{path}: `prompt` has a brace without its other half: close it, or leave it out") from None
    if gaps != set(factors):
        odd = sorted(gaps ^ set(factors))[0]
        raise ValueError(f"{path}: {odd!r} is a gap of `prompt` or a factor, and has to be both")
    return content


def _row(row: Any, factors: Mapping[str, Mapping[str, str]], path: Path) -> dict[str, Sequence[str]]:
    if not isinstance(row, Mapping) or not row or not all(isinstance(levels, list) for levels in row.values()):
        raise ValueError(f"{path}: a row of `without` is a list of levels for each of some factors")
    for factor, level in _named(row):
        if level not in factors.get(factor, {}):
            raise ValueError(f"{path}: `without` names {factor}: {level}, which is not a level: fix its spelling")
    return {str(factor): levels for factor, levels in row.items()}


def _named(row: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, str]]:
    return ((factor, level) for factor, levels in row.items() for level in levels)
