"""Which plug-ins a run loads: modules that a table names, and that count as a stage's code where they are selected."""

from __future__ import annotations

from anomend.detectors.table import detector_for, module_of
from anomend.params.params import Params


def plugins(params: Params) -> dict[str, set[str]]:
    """Modules by stage, for the stages that run a detector.

    Raises:
        ValueError: there is no such detector.
    """
    sources = {params.collect.source, *params.collect.mix}
    selected = {
        "curate": {detector_for(params.curate.detector, source) for source in sources},
        "class_images": {params.class_images.detector},
        "losers": {params.losers.detector},
        "train": {params.train.monitor.detector},
        "measure": {params.measure.detector},
        "judge": {params.measure.detector, params.judge.parts},
    }
    return {stage: {module_of(name) for name in names} for stage, names in selected.items()}
