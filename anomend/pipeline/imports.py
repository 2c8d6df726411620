"""Which files a script runs: its imports, followed through the project's own modules."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import NamedTuple

OWN = ("anomend", "stages", "scan", "commands", "studies")
"""The project's top-level packages."""
READS = "READS"
"""A module that reads files of its folder (templates, a page) names them in a tuple of this name, as glob patterns."""


@dataclass(frozen=True)
class Module:
    """What a file of the project imports and reads."""

    path: Path
    own: frozenset[str] = frozenset()
    """Modules and packages of the project, with dots."""
    libraries: frozenset[str] = frozenset()
    """Top-level names of everything else, the standard library included."""
    reads: frozenset[Path] = frozenset()
    """Files that the module reads without importing them."""


class Imports(NamedTuple):
    """What the text of a file imports."""

    own: frozenset[str]
    """Modules and packages of the project, with dots."""
    libraries: frozenset[str]
    """Top-level names of everything else."""
    reads: tuple[str, ...]
    """Glob patterns of files that the module reads."""


ImportsOf = Callable[[Path, tuple[str, ...]], Imports]


@dataclass
class Closure:
    """Everything that scripts run."""

    modules: dict[str, Path] = field(default_factory=dict)
    reads: set[Path] = field(default_factory=set)
    libraries: set[str] = field(default_factory=set)


class Reader:
    """Reads each file of a project at most once; for as long as the files do not change.

    Args:
        root: the project.
        imports: reads a file's imports; None: `imports_of`.
    """

    def __init__(self, root: Path, imports: ImportsOf | None = None) -> None:
        self.root = root
        self._imports = imports or imports_of
        self._modules: dict[str, Module | None] = {}

    def module(self, name: str) -> Module | None:
        """A module or package by its dotted name; None where the project has none of that name."""
        if name not in self._modules:
            path = module_file(self.root, name)
            self._modules[name] = None if path is None else read_module(path, self.root, self._imports)
        return self._modules[name]

    def closure(self, modules: Iterable[str], leave_out: tuple[str, ...] = ()) -> Closure:
        """The project's own modules that are imported when `modules` run, at their top or within functions.

        Args:
            modules: where to start, with dots, such as `stages.train`.
            leave_out: packages that are not followed.

        Raises:
            ValueError: a module where it starts is not in the project, or a file is not valid Python.
        """
        found, waiting = Closure(), list(modules)
        for name in waiting:
            if self.module(name) is None:
                raise ValueError(f"{name} is not a module of this project")
        while waiting:
            name = waiting.pop()
            module = self.module(name)
            if module is None or name in found.modules or any(_within(name, package) for package in leave_out):
                continue
            found.modules[name] = module.path
            found.reads |= module.reads
            found.libraries |= module.libraries
            waiting += module.own
            # Importing a.b.c also runs a and a.b.
            waiting += [name.rpartition(".")[0]] if "." in name else []
        return found


def _within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def module_file(root: Path, name: str) -> Path | None:
    """The file of a module or package; None where the project has none of that name."""
    base = root.joinpath(*name.split("."))
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            return path
    return None


def read_module(path: Path, root: Path, imports: ImportsOf | None = None) -> Module:
    """What one file imports and reads.

    Raises:
        ValueError: the file is not valid Python.
    """
    found = (imports or imports_of)(path, path.relative_to(root).parent.parts)
    reads = {file for pattern in found.reads for file in path.parent.glob(pattern) if file.is_file()}
    return Module(path=path, own=found.own, libraries=found.libraries, reads=frozenset(reads))


def imports_of(path: Path, package: tuple[str, ...]) -> Imports:
    """What a file in a package imports. Imports for type checkers alone are left out: they never run.

    Raises:
        ValueError: the file is not valid Python.
    """
    return Imports(*_imports(parse(path), package))


def parse(path: Path) -> ast.Module:
    """The syntax tree of a file; do not change it, others have the same one.

    Raises:
        ValueError: it is not valid Python.
    """
    try:
        return _parse(path.read_bytes())
    except SyntaxError as error:
        raise ValueError(f"{path} is not valid Python ({error.msg}, line {error.lineno}): fix it") from None


@cache
def _parse(source: bytes) -> ast.Module:
    return ast.parse(source)


@cache
def _imports(tree: ast.Module, package: tuple[str, ...]) -> tuple[frozenset[str], frozenset[str], tuple[str, ...]]:
    """Own modules, libraries, and patterns of files that are read, of a file in a package."""
    own: set[str] = set()
    libraries: set[str] = set()
    for node in _running(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else ()
            module = ".".join([*base, *([node.module] if node.module else [])])
            # `from package import name` imports a module where the package has one of that name.
            names = [module, *(f"{module}.{alias.name}" for alias in node.names if module.split(".")[0] in OWN)]
        else:
            continue
        for name in names:
            top = name.split(".")[0]
            (own if top in OWN else libraries).add(name if top in OWN else top)
    return frozenset(own), frozenset(libraries), _declared_reads(tree)


def _running(tree: ast.Module) -> Iterator[ast.stmt]:
    """All statements except those under `if TYPE_CHECKING:`."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        for name in _BLOCKS:
            statements = getattr(node, name, None)
            if not isinstance(statements, list):
                continue
            if name == "body" and isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
                continue
            for statement in statements:
                if isinstance(statement, ast.stmt):
                    yield statement
                waiting.append(statement)


_BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")
"""Fields of statements that hold statements, or parts that hold some."""


def _declared_reads(tree: ast.Module) -> tuple[str, ...]:
    for node in tree.body:
        if isinstance(node, ast.Assign) and [getattr(target, "id", "") for target in node.targets] == [READS]:
            return tuple(ast.literal_eval(node.value))
    return ()
