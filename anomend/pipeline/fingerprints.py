"""One fingerprint per stage: equal as long as nothing changed in the code that can change the stage's result.

It covers the modules that the stage's script imports, the plug-ins that the parameters select, the files that these
read, and the locked versions of the libraries that compute. It does not cover comments, docstrings and the layout of
the code, nor `anomend.params`: that package acts on results only through the resolved values, on which every stage
depends by itself.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path

from anomend.params.params import Params
from anomend.pipeline.facts import FACTS, FactStore
from anomend.pipeline.imports import Closure, Reader
from anomend.pipeline.libraries import library_versions_of
from anomend.pipeline.plugins import family_module, plugins
from anomend.pipeline.syntax import code_digest
from anomend.project.files import sha256_of
from anomend.project.lock import locked_versions
from anomend.project.yaml_files import read_yaml

LEFT_OUT = ("anomend.params",)
SAMPLER = "sampler"
"""Not a stage: the code that turns a base, a LoRA, a prompt and a seed into an image. It is part of the key of stored
samples, so that a change elsewhere in a stage samples nothing again."""
SAMPLER_MODULES = ["anomend.diffusion.sampling", "anomend.diffusion.lora"]
GUIDED_SAMPLER = "guided_sampler"
"""The same with the guidance of `sample.tuned`, part of the key of the images that have it."""
GUIDED_MODULES = [*SAMPLER_MODULES, "anomend.diffusion.guidance"]
DETECTOR = "detector"
"""Not a stage: the code that finds anomalies in an image, part of the key of stored anomalies."""
RESOLVE = "resolve"
"""The stage that writes the fingerprints, and has none itself: it runs whenever a file of the code changes."""


def stage_modules(pipeline: Path) -> dict[str, str]:
    """The script of every stage of a dvc.yaml, as a module: `train` -> `stages.train`.

    Raises:
        ValueError: a stage's command is not `python -m MODULE ...`.
    """
    modules = {}
    for name, stage in read_yaml(pipeline)["stages"].items():
        command = str(stage.get("do", stage)["cmd"])
        words = command.split()
        if words[:2] != ["python", "-m"]:
            raise ValueError(f"{pipeline}: the command of {name} is {command!r}: it must be `python -m MODULE`")
        modules[name] = words[2]
    return modules


def stage_closure(reader: Reader, module: str, extra: Collection[str] = ()) -> Closure:
    """What a script runs, with the modules of its plug-ins."""
    return reader.closure([module, *sorted(extra)], LEFT_OUT)


def fingerprint(
    root: Path,
    code: Closure,
    locked: Mapping[str, str],
    *,
    digests: dict[Path, str] | None = None,
    digest_of: Callable[[Path], str] = code_digest,
) -> str:
    """32 hexadecimal digits for code, files that it reads, and library versions.

    Args:
        root: the project.
        code: what runs.
        locked: package -> version.
        digests: of the files, filled in here: hand over the same for several fingerprints of the same files.
        digest_of: the digest of a file of code.
    """
    digests = {} if digests is None else digests
    for path in {*code.modules.values(), *code.reads} - set(digests):
        digests[path] = sha256_of(path) if path in code.reads else digest_of(path)
    parts = [f"{name} {digests[path]}" for name, path in sorted(code.modules.items())]
    parts += [f"{path.relative_to(root).as_posix()} {digests[path]}" for path in sorted(code.reads)]
    parts += [f"{name}=={version}" for name, version in library_versions_of(code.libraries, locked).items()]
    return sha256_of("\n".join(parts))[:32]


def stage_fingerprints(root: Path, params: Params) -> dict[str, str]:
    """The fingerprint of every stage of the main pipeline except `resolve`.

    Args:
        root: the project, with dvc.yaml, the code and the lock files.
        params: they select the plug-ins.

    Raises:
        ValueError: a file is not valid Python, or a library is unknown.
    """
    selected = plugins(params)
    modules = {name: module for name, module in stage_modules(root / "dvc.yaml").items() if name != RESOLVE}
    starts = {name: [module, *selected.get(name, ())] for name, module in modules.items()}
    family = family_module(params)
    further = {
        SAMPLER: [*SAMPLER_MODULES, family],
        GUIDED_SAMPLER: [*GUIDED_MODULES, family],
        DETECTOR: sorted(selected["measure"]),
    }
    return module_fingerprints(root, starts | further)


def module_fingerprints(root: Path, modules: Mapping[str, Iterable[str]]) -> dict[str, str]:
    """The fingerprint of each name's modules."""
    facts, locked = FactStore(root / FACTS), locked_versions(root)
    reader = Reader(root, facts.imports_of)
    digests: dict[Path, str] = {}
    # Syntax trees are many small objects without cycles: collecting garbage meanwhile costs a third of the time.
    collecting = gc.isenabled()
    gc.disable()
    try:
        return {
            name: fingerprint(
                root=root,
                code=reader.closure(sorted(starts), LEFT_OUT),
                locked=locked,
                digests=digests,
                digest_of=facts.digest_of,
            )
            for name, starts in modules.items()
        }
    finally:
        facts.save()
        if collecting:
            gc.enable()
