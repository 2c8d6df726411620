"""Which layers of a base skip-layer guidance can leave out; known without its weights, and without torch."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from anomend.diffusion.base_models import base_source
from anomend.families.family import Family

BLOCKS = {"sd3-medium": 24, "sd3.5-medium": 24, "sd3.5-large": 38}
"""`num_layers` in transformer/config.json of the bases on the hub."""


def blocks_of(name: str, local_folder: str | None) -> int | None:
    """Blocks of a base's transformer; None where they are not known yet."""
    config = Path(base_source(name, local_folder)) / "transformer" / "config.json"
    try:
        return int(json.loads(config.read_text(encoding="utf-8"))["num_layers"])
    except (OSError, ValueError, KeyError, TypeError):
        return None if local_folder else BLOCKS.get(name)


def refuse_unskippable(family: Family) -> None:
    """Refuse `sample.tuned.skip_layers` for bases whose pipeline has no skip-layer guidance.

    Raises:
        ValueError: it has none.
    """
    if not family.skips_layers:
        raise ValueError(
            f"sample.tuned.skip_layers.layers: diffusers' {family.pipeline} has no skip-layer guidance: set it to none"
        )


def refuse_unknown_layers(layers: Sequence[int] | None, blocks: int | None) -> None:
    """Refuse layers that a base does not have: diffusers would skip nothing, without a word.

    Args:
        layers: `sample.tuned.skip_layers.layers`.
        blocks: of the base's transformer; None: not known.

    Raises:
        ValueError: one is beyond the last.
    """
    beyond = [layer for layer in layers or () if blocks is not None and layer >= blocks]
    if blocks is not None and beyond:
        raise ValueError(
            f"sample.tuned.skip_layers.layers names {beyond[0]}, and the base's transformer has the layers 0 to "
            f"{blocks - 1}: choose among these"
        )
