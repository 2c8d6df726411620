"""The project's own modules that the warm server has imported, in a fork that runs in another copy of the project."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OWN, FIRST = "anomend", "anomend.params.resolved"
"""Our own package, and the module of it that every stage imports first: to make its models takes longer than all else
that a stage imports. Every clone has its copy of both (`take_own_modules`)."""


def own_modules() -> dict[str, bytes]:
    """Import `FIRST` and what it needs; the text of each module's file."""
    before = dict(os.environ)
    sys.path.insert(0, str(ROOT))
    importlib.import_module(FIRST)
    del sys.path[0]
    for variable in os.environ.keys() - before.keys():
        del os.environ[variable]  # `take_own_modules` sets it again.
    return {name: Path(str(sys.modules[name].__file__)).read_bytes() for name in sys.modules if is_own(name)}


def is_own(name: str) -> bool:
    return name.partition(".")[0] == OWN


def take_own_modules(texts: dict[str, bytes]) -> None:
    """In the fork: our own modules are those of the folder that Python would import them from, or are forgotten.

    They stay where every file there is as the server read it, and then say that they are of that folder.
    """
    if not texts:
        return
    folder = next((Path(path).absolute() for path in sys.path if Path(path, OWN).is_dir()), Path("/nowhere"))
    files = {name: folder / Path(str(sys.modules[name].__file__)).relative_to(ROOT) for name in texts}
    if any(not file.is_file() or file.read_bytes() != texts[name] for name, file in files.items()):
        for name in texts:
            del sys.modules[name]
        return
    for name, file in files.items():
        module, spec = sys.modules[name], sys.modules[name].__spec__
        assert spec is not None
        module.__file__ = spec.origin = str(file)
        module.__loader__.path = str(file)  # type: ignore[union-attr]
        spec.cached = module.__cached__ = importlib.util.cache_from_source(str(file))
        if spec.submodule_search_locations is not None:
            module.__path__ = spec.submodule_search_locations = [str(file.parent)]
    exec(compile(texts[OWN], str(files[OWN]), "exec"), sys.modules[OWN].__dict__)
