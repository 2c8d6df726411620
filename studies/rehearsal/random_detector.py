"""A detector for the rehearsal of training by rewards: SegFormer's smallest published shapes with random weights."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import SegformerConfig, SegformerForSemanticSegmentation, SegformerImageProcessorPil

from anomend.project.files import sha256_of

CARD = "---\nlicense: cc0-1.0\n---\n# Random weights, for the rehearsal\n"


def write_random_detector(folder: Path, seed: int) -> str:
    """Write the model with all that `segformer:` asks for.

    Args:
        folder: where to; what is there is replaced.
        seed: of the weights.

    Returns:
        The detector's name, `segformer:FOLDER@SHA256`.
    """
    torch.manual_seed(seed)
    # The defaults of the configuration are those of nvidia/mit-b0.
    SegformerForSemanticSegmentation(SegformerConfig(num_labels=1)).save_pretrained(folder)
    SegformerImageProcessorPil().save_pretrained(folder)
    (folder / "README.md").write_text(CARD)
    return f"segformer:{folder}@{sha256_of(folder / 'model.safetensors')}"
