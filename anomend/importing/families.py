"""What reading a LoRA has to know of a family of bases."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from anomend.diffusion.base_models import family_of_base


@dataclass(frozen=True, kw_only=True)
class LoraFamily:
    """How LoRAs of a family are read."""

    title: str
    """In words."""
    projections: Callable[[], list[str]]
    """The names of all projections that a base of it may have, in diffusers' transformer."""
    converter: str | None
    """diffusers' pipeline class whose `lora_state_dict` turns other layouts into diffusers'; None: it turns none."""
    originals: bool
    """Whether `anomend.exporting.kohya` knows the original code's names of it."""

    def in_diffusers_layout(self, weights: Mapping[str, Any]) -> dict[str, Any]:
        """The tensors by diffusers' keys, where diffusers has a converter; else as they are.

        Raises:
            ValueError: diffusers cannot convert them.
        """
        if self.converter is None:
            return dict(weights)
        import diffusers

        try:
            return dict(getattr(diffusers, self.converter).lora_state_dict(dict(weights)))
        except (ValueError, KeyError, NotImplementedError, RuntimeError) as error:
            words = " ".join(str(error).split())[:160]
            raise ValueError(f"diffusers' converter for {self.title} cannot read it ({words})") from None


def lora_family(base: str) -> LoraFamily:
    """The family of a base.

    Raises:
        ValueError: there is no such base.
    """
    family = family_of_base(base)
    return LoraFamily(
        title=family.title,
        projections=family.projections,
        converter=family.pipeline if family.converts_layouts else None,
        originals=family.has_original_names,
    )


SD3 = lora_family("mini")
