"""What reading a LoRA has to know of a family, and diffusers' converters, which read the original code's names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from anomend.diffusion.base_models import family_of_base

Matrices = Mapping[str, tuple[Any, Any]]
"""By a module's name in the file, without prefix: (rank, inputs) and (outputs, rank), with the scale in the second."""


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

    def in_diffusers_layout(self, matrices: Matrices, *, flat: bool) -> dict[str, Any]:
        """The tensors by diffusers' keys, by diffusers' converter.

        Args:
            matrices: of modules with the original code's names.
            flat: whether these names have `_` for `.`.

        Raises:
            ValueError: diffusers cannot convert them, or leaves some out.
        """
        import diffusers

        pipeline, words = getattr(diffusers, str(self.converter)), ""
        known, outputs = set(self.projections()), sum(len(up) for _, up in matrices.values())
        for weights in _spellings(matrices, flat=flat):
            try:
                converted = dict(pipeline.lora_state_dict(weights))
            except (ValueError, KeyError, NotImplementedError, RuntimeError, AssertionError) as error:
                words = words or " ".join(str(error).split())[:160]
                continue
            modules = {key.removeprefix("transformer.").rpartition(".lora_")[0] for key in converted}
            # Some converters only log what they leave out; q, k and v in one are split by their outputs.
            if modules <= known and sum(len(up) for key, up in converted.items() if ".lora_B." in key) == outputs:
                return converted
            words = words or f"it leaves some of {', '.join([*matrices][:2])} and others as they are, or out"
        raise ValueError(f"diffusers' converter for {self.title} cannot read it ({words})")


def _spellings(matrices: Matrices, *, flat: bool) -> Iterator[dict[str, Any]]:
    """The same modules by the keys that each converter reads.

    That for Flux reads kohya's alone, and that for Z-Image splits q, k and v only if `lora.down` has a dot.
    """
    kohya, comfyui = "lora_unet_", "diffusion_model."
    if not flat:
        yield _spelt(matrices, comfyui, "lora_A", "lora_B")
        yield _spelt(matrices, comfyui, "lora.down", "lora.up")
    names = {name.replace(".", "_"): pair for name, pair in matrices.items()}
    yield _spelt(names, kohya, "lora_down", "lora_up")
    yield _spelt(names, kohya, "lora.down", "lora.up")


def _spelt(matrices: Matrices, prefix: str, down: str, up: str) -> dict[str, Any]:
    pairs = {f"{prefix}{name}": pair for name, pair in matrices.items()}
    return {f"{name}.{part}.weight": pair[i] for name, pair in pairs.items() for i, part in enumerate((down, up))}


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
