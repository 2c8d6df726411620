"""Facts about code that are kept by content are the same as computed ones, whatever happened to the file of them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from anomend.pipeline import facts as module
from anomend.pipeline.facts import FactStore
from anomend.pipeline.imports import imports_of
from anomend.pipeline.syntax import code_digest
from tests.conftest import ROOT

PACKAGE = ("anomend", "pipeline")


def test_known_facts_are_those_that_reading_gives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = sorted((ROOT / "anomend").rglob("*.py"))
    packages = {path: path.relative_to(ROOT).parent.parts for path in files}
    first = FactStore(tmp_path / "facts.json")
    computed = {path: (first.imports_of(path, packages[path]), first.digest_of(path)) for path in files}
    assert computed == {path: (imports_of(path, packages[path]), code_digest(path)) for path in files}
    first.save()
    # Nothing is parsed any more.
    monkeypatch.delattr(module, "code_digest")
    monkeypatch.delattr(module, "imports_of")
    known = FactStore(tmp_path / "facts.json")
    assert {path: (known.imports_of(path, packages[path]), known.digest_of(path)) for path in files} == computed


def test_a_file_of_other_content_is_read_anew_even_at_the_same_time_and_size(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text("import json\nA = 1\n")
    store = FactStore(tmp_path / "facts.json")
    before = store.digest_of(path)
    store.save()
    times = path.stat()
    path.write_text("import json\nA = 2\n")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert FactStore(tmp_path / "facts.json").digest_of(path) == code_digest(path) != before


def test_the_same_file_in_another_package_has_other_imports(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text("from . import b\n")
    store = FactStore(tmp_path / "facts.json")
    assert "anomend.pipeline.b" in store.imports_of(path, PACKAGE).own
    assert "anomend.params.b" in store.imports_of(path, ("anomend", "params")).own


@pytest.mark.parametrize("content", ["", "{", "[]", '{"reader": "x", "facts": {}}', '{"facts": 3}', "\x00"])
def test_a_broken_store_or_one_of_other_code_is_not_used(tmp_path: Path, content: str) -> None:
    (tmp_path / "facts.json").write_text(content)
    store = FactStore(tmp_path / "facts.json")
    path = ROOT / "anomend" / "pipeline" / "facts.py"
    assert store.digest_of(path) == code_digest(path)
    store.save()
    assert len(json.loads((tmp_path / "facts.json").read_text())["facts"]) == 1


def test_a_file_that_is_not_python_is_named(tmp_path: Path) -> None:
    path = tmp_path / "broken.py"
    path.write_text("def")
    with pytest.raises(ValueError, match=r"broken\.py is not valid Python"):
        FactStore(tmp_path / "facts.json").digest_of(path)


def test_what_is_not_asked_for_any_more_is_forgotten(tmp_path: Path) -> None:
    paths = [tmp_path / "a.py", tmp_path / "b.py"]
    for number, path in enumerate(paths):
        path.write_text(f"A = {number}\n")
    store = FactStore(tmp_path / "facts.json")
    assert len({store.digest_of(path) for path in paths}) == 2
    store.save()
    again = FactStore(tmp_path / "facts.json")
    again.digest_of(paths[0])
    again.save()
    assert len(json.loads((tmp_path / "facts.json").read_text())["facts"]) == 1
