"""Which plug-ins a run loads: modules that a table names, and that count as a stage's code where they are selected."""

from __future__ import annotations

from anomend.params.params import Params

_DETECTORS = {"figures": "anomend.detectors.drawn_people"}


def plugins(params: Params) -> dict[str, set[str]]:
    """Modules by stage, for the stages that have plug-ins."""
    return {}
