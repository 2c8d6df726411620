"""The folder of a LoRA as a file: the name of its weights, and their SHA-256. Needs neither torch nor diffusers."""

from __future__ import annotations

from pathlib import Path

from anomend.project.files import sha256_of

WEIGHT_NAME = "pytorch_lora_weights.safetensors"


def lora_sha256(folder: Path) -> str:
    """SHA-256 of the weights file of a LoRA folder."""
    return sha256_of(folder / WEIGHT_NAME)
