"""Which plug-ins a run loads: modules that a table names, and that count as a stage's code where they are selected."""

from __future__ import annotations

from anomend.collecting.registry import module_of as module_of_source
from anomend.judging.registry import module_of as module_of_judge
from anomend.params.params import Params

_DETECTORS = {"figures": "anomend.detectors.drawn_people"}


def plugins(params: Params) -> dict[str, set[str]]:
    """Modules by stage, for the stages that have plug-ins."""
    sources = [params.collect.source, *params.collect.mix]
    return {
        "collect": {module_of_source(name) for name in sources},
        "judge": {module_of_judge(name) for name in params.judge.judges},
    }
