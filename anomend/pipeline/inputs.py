"""Files and folders that a parameter names: when their contents change, the stages that read them run again.

`resolve` writes a digest of each to `resolved/inputs.json`, on whose sections the stages depend. After a change DVC
runs `resolve` again by itself: `resolve` leaves a link to each input in `resolved/links/` (`input_links.py`), and these
links are its outputs, so that DVC compares what they lead to. The inputs cannot be dependencies themselves: dvc.yaml
cannot follow a parameter, and DVC refuses a dependency that is not there, as private pictures are not in a colleague's
clone.

An input that is not on this machine counts as unchanged, as data do that were not pulled.

Stage `collect` samples the base where `collect.base` is in use, and only then depends on the base and on how it is
sampled. dvc.yaml cannot say that either, so both are in its section of `resolved/inputs.json`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from anomend.detectors.table import folder_of
from anomend.diffusion.bases import BASE_MODELS, FILES
from anomend.params.params import Params
from anomend.params.resolved import split
from anomend.pipeline.contents import KnownDigests, files_in, folder_digest, json_object
from anomend.project.checkouts import found
from anomend.project.paths import CHECKPOINTS, INPUTS
from anomend.project.shared_folders import main_checkout

COLLECTED_BASE = "collect.base.model"
"""The base's folder where the source `base` samples it; not a parameter, but treated like one."""
SAMPLING = "collect.base.sampling"
"""Parameters of other sections that decide what that source samples."""
SCAN_LABELS = "scan.labels"
"""The folder of labels, where people judge a scan; likewise not a parameter."""
SCAN_LABELLING = "scan.labelling"
"""The parameters of `label` then."""
COUNTED: dict[str, tuple[str, ...]] = {
    "base.local_folder": FILES,
    COLLECTED_BASE: FILES,
    "survey.responses": (".csv",),
    "label.labels": (".csv",),
    SCAN_LABELS: (".csv",),
    "train.labelled.labels": (".csv",),
    "train.external.file": (".safetensors", ".json"),
    "sample.against.file": (".safetensors", ".json"),
}
"""Endings of the files that count in a folder, by its parameter; in other folders all count. Hidden files do not, nor
do those in which DVC notes what it tracks."""
OF_THE_SCAN = ("scan.suite", SCAN_LABELS)
"""Inputs that the scan's own pipeline reads, which says what is missing: the main pipeline runs without them."""
MAY_BE_EMPTY = ("survey.responses", "label.labels", SCAN_LABELS)
"""Folders that may be empty: a survey that nobody has answered yet, pictures that nobody has labelled."""
DIGESTS = CHECKPOINTS / "digests.json"


def named_inputs(params: Params) -> dict[str, str | None]:
    """What each parameter names, as the user wrote it; None where this run does not read it."""
    collect, detectors = params.collect, params.detectors.rtdetr
    sources, labelled = collect.counts, params.train.method == "labels"
    openai, rtdetr = "openai" in sources, params.curate.detector == "photographs_rtdetr"
    return {
        "base.local_folder": params.base.local_folder,
        COLLECTED_BASE: _base_folder(params) if "base" in sources else None,
        "collect.folder.path": collect.folder.path if "folder" in sources else None,
        "collect.openai.individual_template": collect.openai.individual_template if openai else None,
        "collect.openai.context_template": collect.openai.context_template if openai else None,
        # Not a repository on the hub, which is pinned by its revision.
        "detectors.rtdetr.person_model": _if_folder(detectors.person_model) if rtdetr else None,
        "detectors.rtdetr.pose_model": _if_folder(detectors.pose_model) if rtdetr else None,
        "survey.responses": params.survey.responses,
        **{
            parameter: None if parameter in params.idle_detectors() else folder_of(name)
            for parameter, name in params.anatomy_detectors().items()
        },
        "label.labels": params.label.labels,
        "label.gold": params.label.gold,
        "scan.suite": params.scan.suite,
        SCAN_LABELS: params.label.labels if params.scan.asks_people else None,
        "train.labelled.pictures": params.train.labelled.pictures if labelled else None,
        "train.labelled.labels": params.train.labelled.labels if labelled else None,
        # Not a file of the hub, which is pinned by its commit.
        "train.external.file": params.train.external.local_file,
        "sample.against.file": params.sample.against.local_file,
    }


def input_digests(root: Path, params: Params) -> dict[str, Any]:
    """What resolved/inputs.json says: a digest per input under its parameter's keys; None without any.

    Args:
        root: the project.
        params: the parameters in force.
    """
    recorded, known = _recorded(root, params), KnownDigests(main_checkout(root) / DIGESTS)
    digests: dict[str, str | None] = {}
    for parameter, named in named_inputs(params).items():
        digests[parameter] = None
        if named is not None:
            path = found(named, root)
            here = _is_here(path, parameter)
            digest = folder_digest(path, known, endings=COUNTED.get(parameter), label=parameter) if here else None
            digests[parameter] = f"{_head(named)}{digest[:32]}" if digest else recorded.get(parameter)
    known.keep()
    labelling = split(params)[0]["label"] if params.scan.asks_people else None
    return _nested(digests | {SAMPLING: _sampling(params), SCAN_LABELLING: labelling})


def absent_inputs(root: Path, params: Params) -> list[str]:
    """Parameters whose input is not here, but was recorded by an earlier run.

    Raises:
        ValueError: an input is not here, and no run has recorded it.
    """
    absent, recorded = [], _recorded(root, params)
    for parameter, named in named_inputs(params).items():
        if named is None or parameter in OF_THE_SCAN or _is_here(found(named, root), parameter):
            continue
        if parameter not in recorded:
            raise ValueError(_not_here(parameter, named))
        absent.append(parameter)
    return absent


def _base_folder(params: Params) -> str | None:
    """The base's folder; None for one on the hub, which is pinned by its revision."""
    base = BASE_MODELS[params.base.name]
    return params.base.local_folder or (None if base.on_hub else base.source)


def _sampling(params: Params) -> dict[str, Any] | None:
    """What decides the images of the source `base` besides the section `collect`; None where it is not in use."""
    if "base" not in params.collect.counts:
        return None
    results, _ = split(params)
    sample = {name: results["sample"][name] for name in ("steps", "guidance_scale")}
    return {"base": results["base"], "sample": sample}


def _if_folder(model: str) -> str | None:
    return model if found(model).is_dir() else None


def _head(named: str) -> str:
    return f"{named} sha256:"


def _is_here(path: Path, parameter: str) -> bool:
    """Whether an input has files that count, or may be without any."""
    if parameter in MAY_BE_EMPTY:
        return path.is_dir()
    return next(files_in(path, COUNTED.get(parameter)), None) is not None


def _not_here(parameter: str, named: str) -> str:
    if parameter == "collect.folder.path":
        return (
            f"{parameter} = {named!r} has no pictures: put yours there, get a colleague's with `dvc pull`, or name "
            "another folder"
        )
    if parameter == COLLECTED_BASE:
        return f"{named}, the base that the source base samples, is not on this machine: get its files again"
    return f"{parameter} = {named!r} is not on this machine, or is empty: put it there, or fix the parameter"


def _recorded(root: Path, params: Params) -> dict[str, str]:
    """What the last run wrote about the inputs that the parameters still name."""
    recorded = _flat(json_object(root / INPUTS))
    return {
        parameter: str(recorded[parameter])
        for parameter, named in named_inputs(params).items()
        if named is not None and str(recorded.get(parameter)).startswith(_head(named))
    }


def _nested(digests: Mapping[str, Any]) -> dict[str, Any]:
    """`{"a.b": x}` as `{"a": {"b": x}}`: DVC takes a dot for a key of a key."""
    nested: dict[str, Any] = {}
    for parameter, digest in digests.items():
        *sections, key = parameter.split(".")
        section = nested
        for name in sections:
            section = section.setdefault(name, {})
        section[key] = digest
    return nested


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return flat
