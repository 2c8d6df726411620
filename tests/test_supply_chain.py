"""Loading a data file cannot run code, and the guard against network access works."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from yaml.constructor import SafeConstructor

from anomend.project.yaml_files import _LOADER
from tests.clones import run
from tests.conftest import ROOT

OURS = ("anomend", "stages", "commands", "studies")
UNSAFE = {"pickle", "cPickle", "dill", "joblib", "shelve", "marshal", "cloudpickle"}
"""Modules whose loading runs code from the file."""


def unsafe_loads(tree: ast.AST) -> Iterator[str]:
    """Each place in a module that could run code from a data file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            yield from (f"import {name}" for name in names if name.split(".")[0] in UNSAFE)
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            arguments = {word.arg: ast.unparse(word.value) for word in node.keywords}
            if called == "torch.load" and arguments.get("weights_only") != "True":
                yield "torch.load without weights_only=True"
            if arguments.get("allow_pickle") == "True":
                yield f"{called} with allow_pickle=True"
            if called == "yaml.load" and arguments.get("Loader") != "_LOADER":
                yield "yaml.load with a loader other than anomend.project.yaml_files._LOADER"
            if called in ("yaml.unsafe_load", "eval", "exec"):
                yield called
            if arguments.get("trust_remote_code") == "True" or arguments.get("use_safetensors") == "False":
                yield f"{called} that takes code or unsafe weights from a repository"


@pytest.mark.parametrize("package", OURS)
def test_no_loaded_file_can_run_code(package: str) -> None:
    problems = {
        f"{path.relative_to(ROOT)}: {problem}"
        for path in (ROOT / package).rglob("*.py")
        for problem in unsafe_loads(ast.parse(path.read_text()))
    }
    assert problems == set()


@pytest.mark.parametrize(
    "code",
    [
        "import pickle",
        "torch.load(p)",
        "np.load(p, allow_pickle=True)",
        "from joblib import load",
        "eval(x)",
        "yaml.load(p, Loader=yaml.Loader)",
    ],
)
def test_the_check_can_fail(code: str) -> None:
    assert list(unsafe_loads(ast.parse(code)))


def test_yaml_files_are_read_by_a_loader_that_makes_plain_values_alone() -> None:
    assert issubclass(_LOADER, SafeConstructor)


def test_weights_in_git_are_safetensors_alone() -> None:
    names = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    assert [name for name in names if name.endswith((".bin", ".pt", ".pth", ".ckpt", ".pkl", ".npy", ".npz"))] == []


def test_no_link_in_git_leads_out_of_the_project() -> None:
    """A link, such as a `.venv` that several checkouts share, points to one machine's folders. Those to inputs that
    every clone has are `resolve`'s (docs/staleness.md)."""
    rows = subprocess.run(["git", "ls-files", "-s"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    links = [Path(row.partition("\t")[2]) for row in rows.splitlines() if row.startswith("120000")]
    assert links
    for link in links:
        target = (ROOT / link).readlink()
        assert link.parts[0] == "resolved" and not target.is_absolute()
        assert (ROOT / link.parent / target).resolve().is_relative_to(ROOT.resolve())


@pytest.mark.parametrize("python", [sys.executable, "python"], ids=["ordinary", "warm"])
def test_the_guard_blocks_the_network(tmp_path: Path, python: str) -> None:
    notes = tmp_path / "tried"
    code = "import socket; socket.create_connection(('192.0.2.1', 80), timeout=2)"
    done = run(tmp_path, "env", f"TRIED_NETWORK={notes}", python, "-c", code, check=False)
    assert done.returncode == 1 and "no network here" in done.stderr and "192.0.2.1" in notes.read_text()
