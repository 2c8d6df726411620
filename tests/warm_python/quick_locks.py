"""DVC reads and writes `dvc.lock` quickly in the forks of the warm server."""

from __future__ import annotations

import importlib
import io
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any


def treat_locks_quickly() -> None:
    """Let DVC read and write `dvc.lock` several times as fast; what it reads and writes stays the same.

    DVC reads and writes the whole file after each stage, with care for comments, of which it has none. Here it writes
    and reads each stage's entry once: the text of an entry depends on nothing else in the file, which stays the same
    to the byte (test_commands.py).
    """
    files = importlib.import_module("dvc.utils.serialize._yaml")
    dump, parse_with_comments = files._dump, files.parse_yaml_for_update
    written: dict[str, list[str]] = {}

    @cache
    def parsed(piece: str) -> Any:
        return files.parse_yaml(piece, "dvc.lock")

    pieces: dict[str, str] = {}

    def piece(content: dict[str, Any]) -> str:
        if (key := repr(content)) not in pieces:
            dump(content, stream := io.StringIO())
            pieces[key] = stream.getvalue()
        return pieces[key]

    def write(content: dict[str, Any], stream: Any) -> None:
        lock = Path(getattr(stream, "name", "")).name == "dvc.lock"
        if not lock or list(content) != ["schema", "stages"] or not content["stages"]:
            dump(content, stream)
            return
        first = piece({"schema": content["schema"]})
        entries = [piece({"stages": {name: entry}}) for name, entry in content["stages"].items()]
        text = "".join([first, "stages:\n", *(entry.removeprefix("stages:\n") for entry in entries)])
        written.clear()
        written[text] = [first, *entries]
        stream.write(text)

    def parse(text: str, path: str) -> Any:
        if Path(path).name != "dvc.lock":
            return parse_with_comments(text, path)
        if text not in written:
            return files.parse_yaml(text, path)
        first, *entries = written[text]
        stages = {name: entry for each in entries for name, entry in deepcopy(parsed(each))["stages"].items()}
        return deepcopy(parsed(first)) | {"stages": stages}

    files._dump, files.parse_yaml_for_update = write, parse  # type: ignore[attr-defined]
