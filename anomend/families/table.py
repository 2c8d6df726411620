"""The table of families: a new one is one file and one row."""

from __future__ import annotations

from importlib import import_module
from typing import Any, cast

from anomend.families.family import Family

FAMILIES: dict[str, str] = {
    "StableDiffusion3Pipeline": "anomend.families.sd3",
    "Flux2KleinPipeline": "anomend.families.flux2_klein",
    "ZImagePipeline": "anomend.families.z_image",
    "QwenImagePipeline": "anomend.families.qwen_image",
    "ChromaPipeline": "anomend.families.chroma",
}
"""diffusers' pipeline class to the module whose `FAMILY` it is. It is imported at first use: the code of the family of
the selected base counts for a run, and no other (`anomend.pipeline.plugins`)."""


def family_named(pipeline: str) -> Family:
    """The family that a pipeline class of diffusers runs.

    Raises:
        ValueError: there is none.
    """
    return cast(Family, import_module(module_of(pipeline)).FAMILY)


def module_of(pipeline: str) -> str:
    """The module of a family, without importing it; raises as `family_named`."""
    if pipeline not in FAMILIES:
        raise ValueError(f"bases of diffusers' {pipeline} are not supported: choose one of {', '.join(FAMILIES)}")
    return FAMILIES[pipeline]


def family_of(model: Any) -> Family:
    """The family of a pipeline, or of its transformer, as diffusers has loaded or torch has sharded it.

    Raises:
        ValueError: it is of no family of the table.
    """
    classes = [each.__name__ for each in type(model).__mro__]
    for pipeline in FAMILIES:
        if pipeline in classes or family_named(pipeline).transformer in classes:
            return family_named(pipeline)
    raise ValueError(f"bases of diffusers' {classes[0]} are not supported: choose one of {', '.join(FAMILIES)}")
