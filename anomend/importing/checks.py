"""What can be refused of LoRAs of other programs before anything runs; it imports torch only where a run has one."""

from __future__ import annotations

from collections.abc import Collection

from anomend.params.external import ExternalLoraParams
from anomend.params.params import Params


def external_loras(params: Params) -> dict[str, ExternalLoraParams]:
    """The LoRAs of other programs that a run takes, by the section of parameters that names them."""
    sections = {"train.external": params.train.external, "sample.against": params.sample.against}
    return {name: section for name, section in sections.items() if section.in_use}


def check_loras(params: Params, absent: Collection[str]) -> None:
    """Refuse LoRAs of other programs that cannot be read.

    Args:
        params: the parameters in force.
        absent: parameters whose file is not on this machine, and counts as unchanged.

    Raises:
        ValueError, FileNotFoundError: as `anomend.importing.external_lora.check_external`.
    """
    for parameter, settings in external_loras(params).items():
        if f"{parameter}.file" not in absent:
            # Torch takes seconds, and most runs have no such LoRA.
            from anomend.importing.external_lora import check_external

            check_external(settings, parameter, params.base.name)
