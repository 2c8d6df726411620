"""LoRA files in kohya's layout, with the metadata that model browsers read.

The metadata follow Stability AI's ModelSpec 1.0.1 (https://github.com/Stability-AI/ModelSpec), with the names that
sd-scripts gives to Stable Diffusion 3's variants (`library/sai_model_spec.py`, `library/sd3_utils.py`). There is no
date: two exports of one LoRA are the same file.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save

from anomend.diffusion.base_models import family_of_base
from anomend.diffusion.lora import sort_metadata
from anomend.diffusion.lora_folder import WEIGHT_NAME
from anomend.exporting.adapters import lora_file, read_diffusers, write_diffusers
from anomend.exporting.kohya import from_kohya, to_kohya
from anomend.exporting.lora_tensors import read_tensors
from anomend.project.files import sha256_of

ARCHITECTURES = {
    "sd3-medium": "stable-diffusion-3-medium",
    "sd3.5-medium": "stable-diffusion-3-5-medium",
    "sd3.5-large": "stable-diffusion-3-5-large",
    "rehearsal": "stable-diffusion-3-medium",
}
"""ModelSpec's name of each base; the miniature has its own shape, and so its own name."""


@dataclass(frozen=True, kw_only=True)
class Origin:
    """What a LoRA was made for, as its file says."""

    base: str
    """Name in the table of supported bases."""
    licence: str
    resolution: int
    """Side of the images, pixels."""
    prompts: tuple[str, ...]
    """The target prompts."""

    def metadata(self) -> dict[str, str]:
        """ModelSpec's entries except the hash."""
        return {
            "modelspec.sai_model_spec": "1.0.1",
            "modelspec.architecture": f"{ARCHITECTURES.get(self.base, f'anomend-{self.base}')}/lora",
            # What sd-scripts writes for every LoRA of this kind; the key has to be the same in all of them.
            "modelspec.implementation": "diffusers",
            "modelspec.title": f"Anomend LoRA for {self.base}",
            "modelspec.resolution": f"{self.resolution}x{self.resolution}",
            "modelspec.license": self.licence,
            "modelspec.usage_hint": f"Trained for the prompts: {', '.join(self.prompts)}",
        }


def export_kohya(folder: Path, file: Path, origin: Origin | None = None) -> str:
    """Write a folder's LoRA, as `save_lora` leaves it, in kohya's layout; returns the file's SHA-256.

    Args:
        folder: with diffusers' file.
        file: the file to write; its folder is made.
        origin: what the LoRA was made for; None: the file names only the LoRA that it was made from.

    Raises:
        FileNotFoundError: there is no LoRA in `folder`.
        ValueError: the layout cannot carry the LoRA.
    """
    if origin:
        refuse_other_family(origin.base)
    weights = to_kohya(read_diffusers(folder))
    metadata = {"diffusers_lora_sha256": sha256_of(lora_file(folder))}
    if origin:
        metadata |= origin.metadata() | {"modelspec.hash_sha256": f"0x{_content_sha256(weights)}"}
    file.parent.mkdir(parents=True, exist_ok=True)
    # Not by `save_file`, which leaves a file that only its owner may read.
    file.write_bytes(save(weights, metadata))
    sort_metadata(file)
    return sha256_of(file)


def refuse_other_family(base: str) -> None:
    """Refuse a base for whose family nothing here knows kohya's layout.

    Raises:
        ValueError: it is not a Stable Diffusion 3; its projections may have the same names.
    """
    if not family_of_base(base).has_original_names:
        raise ValueError(
            f"the layout of ComfyUI and sd-scripts is written for Stable Diffusion 3 alone, and the base is {base}: "
            f"use diffusers' own file, {WEIGHT_NAME}"
        )


def import_kohya(file: Path, folder: Path) -> int:
    """Write a LoRA in kohya's layout as a folder for diffusers' `load_lora_weights`; returns how many modules it has.

    Raises:
        ValueError: as `read_tensors`, `from_kohya` and `to_diffusers`; the sentence names the file, and nothing is
            written.
    """
    weights = read_tensors(file)
    try:
        adapters = from_kohya(weights)
        write_diffusers(adapters, folder)
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from None
    return len(adapters)


def _content_sha256(weights: dict[str, torch.Tensor]) -> str:
    """SHA-256 of everything after the header, as ModelSpec asks for it."""
    content = save(weights)
    return sha256_of(content[8 + int.from_bytes(content[:8], "little") :])
