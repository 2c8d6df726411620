"""What every model in a folder of the user's must show before it is loaded: the pinned weights, and a licence."""

from __future__ import annotations

from pathlib import Path

from anomend.project.files import sha256_of


def refuse_other_weights(folder: Path, pin: str, *, shape: str) -> None:
    """Refuse a folder without the pinned model.safetensors.

    Args:
        folder: of the model.
        pin: SHA-256 of the weights.
        shape: how the detector's name is written, for the message.

    Raises:
        ValueError: the file is missing or another one.
    """
    weights = folder / "model.safetensors"
    if not weights.is_file():
        raise ValueError(f"{folder} does not have a model.safetensors: {shape}")
    if (digest := sha256_of(weights)) != pin:
        raise ValueError(f"{weights} is not the pinned file: its SHA-256 is {digest}, and that of the detector {pin}")


def licence_of(folder: Path) -> str:
    """The licence that the model's card names.

    Raises:
        ValueError: there is no card, or it names none.
    """
    from huggingface_hub import ModelCard

    card = folder / "README.md"
    licence = ModelCard.load(card).data.license if card.is_file() else None
    if not licence:
        raise ValueError(
            f"the model in {folder} names no licence: add `license: NAME`, or `license: unknown`, to the front matter"
            " of its README.md"
        )
    return str(licence)
