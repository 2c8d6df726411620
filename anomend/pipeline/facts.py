"""What files of code say, kept by their content: to parse all of them takes most of the time of stage `resolve`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from anomend.pipeline import imports, syntax
from anomend.pipeline.imports import Imports, imports_of
from anomend.pipeline.syntax import code_digest
from anomend.project.files import sha256_of, write_whole

FACTS = Path(".checkpoints/code_facts.json")


class FactStore:
    """Imports and digests of files of code; what is not known yet is computed.

    The store may be deleted at any time. It starts empty after a change of the code that computes the facts.

    Args:
        path: a JSON file; it may be missing or broken.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._reader = sha256_of("\n".join(sha256_of(Path(str(module.__file__))) for module in (imports, syntax)))
        self._known = self._read()
        self._used: dict[str, dict[str, Any]] = {}

    def imports_of(self, path: Path, package: tuple[str, ...]) -> Imports:
        """As `anomend.pipeline.imports.imports_of`."""

        def compute() -> dict[str, Any]:
            found = imports_of(path, package)
            return {"own": sorted(found.own), "libraries": sorted(found.libraries), "reads": list(found.reads)}

        fact = self._fact(path, f"imports of {'.'.join(package)}", compute)
        return Imports(frozenset(fact["own"]), frozenset(fact["libraries"]), tuple(fact["reads"]))

    def digest_of(self, path: Path) -> str:
        """As `anomend.pipeline.syntax.code_digest`."""
        return str(self._fact(path, "digest", lambda: {"digest": code_digest(path)})["digest"])

    def save(self) -> None:
        """Write what has been asked for; the rest is forgotten."""
        if self._used != self._known:
            write_whole(self.path, json.dumps({"reader": self._reader, "facts": self._used}), durable=False)

    def _fact(self, path: Path, kind: str, compute: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        key = f"{sha256_of(path)} {kind}"
        if key not in self._used:
            self._used[key] = self._known.get(key) or compute()
        return self._used[key]

    def _read(self) -> dict[str, dict[str, Any]]:
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
            facts: dict[str, dict[str, Any]] = content["facts"] if content["reader"] == self._reader else {}
        except (OSError, ValueError, KeyError, TypeError):
            facts = {}
        return facts
