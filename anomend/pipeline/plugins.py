"""Which plug-ins a run loads: modules that a table names, and that count as a stage's code where they are selected."""

from __future__ import annotations

from anomend.collecting.registry import module_of as module_of_source
from anomend.detectors.table import detector_for, module_of
from anomend.diffusion.bases import BASE_MODELS
from anomend.diffusion.lora_origin import EXTERNAL
from anomend.families.table import module_of as module_of_family
from anomend.judging.registry import module_of as module_of_judge
from anomend.params.params import Params

OF_THE_BASE = {"collect", "class_images", "losers", "encode", "train", "looks", "sample_base", "sample_tuned"}
"""Stages that load the base."""


def plugins(params: Params) -> dict[str, set[str]]:
    """Modules by stage, for the stages that load plug-ins.

    Raises:
        ValueError: there is no such base, detector, source or judge.
    """
    sources = params.collect.counts
    judges = params.judge.judges
    choosing = {params.sample.tuned.best_of.detector} if params.sample.tuned.best_of.n else set()
    detectors = {
        "collect": {params.collect.base.detector} if "base" in sources else set(),
        "curate": {detector_for(params.curate.detector, source, params.base.name) for source in sources},
        "class_images": {params.class_images.detector} if params.class_images.per_prompt else set(),
        "losers": {params.losers.detector} if params.samples_losers else set(),
        "train": _training_detectors(params),
        "looks": {params.measure.detector} | choosing if len(params.verdict.looks) > 1 else set(),
        "sample_tuned": choosing,
        "measure": {params.measure.detector},
        "judge": {*([params.measure.detector] if "anatomy" in judges else []), params.judge.parts},
    }
    modules = {stage: {module_of(name) for name in names} for stage, names in detectors.items()}
    modules["collect"] |= {module_of_source(name) for name in sources}
    if params.train.method == "labels" and params.train.labelled.pictures is not None:
        modules["train"].add("anomend.training.labelled")
    if params.train.method == "external":
        modules["train"].add(EXTERNAL)
    modules["against"] = {EXTERNAL} if params.sample.against.in_use else set()
    modules["judge"] |= {module_of_judge(name) for name in judges}
    for stage in OF_THE_BASE if "base" in sources else OF_THE_BASE - {"collect"}:
        modules.setdefault(stage, set()).add(family_module(params))
    return modules


def family_module(params: Params) -> str:
    """The module of the base's family."""
    return module_of_family(BASE_MODELS[params.base.name].pipeline)


def _training_detectors(params: Params) -> set[str]:
    """Detectors of stage `train`: the one that evaluates, the one that rewards, and the one that looks at rewards."""
    train = params.train
    return {
        *([train.monitor.detector] if train.makes_lora and train.monitor.every else []),
        *([train.nft.detector, train.nft.second_detector] if train.rewards_by_detector else []),
    }
