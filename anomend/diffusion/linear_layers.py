"""The linear layers of a base's transformer and their shapes, from its configuration alone."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from anomend.diffusion.base_models import base_source, pinned_revision


def linear_layers(name: str, local_folder: str | None, revision: str | None = None) -> dict[str, tuple[int, int]]:
    """(outputs, inputs) of each linear layer by its name in diffusers' transformer; no weights are loaded.

    Args:
        name: key of `BASE_MODELS`.
        local_folder: `base.local_folder`.
        revision: `base.revision`.

    Raises:
        ValueError: the configuration cannot be read, or no commit is known.
    """
    import diffusers
    import torch

    config, architecture = _config(name, local_folder, revision)
    with torch.device("meta"):
        transformer = getattr(diffusers, architecture).from_config(config)
    return {
        module: (layer.out_features, layer.in_features)
        for module, layer in transformer.named_modules()
        if isinstance(layer, torch.nn.Linear)
    }


def _config(name: str, local_folder: str | None, revision: str | None) -> tuple[dict[str, Any], str]:
    """Configuration and class name of the transformer."""
    source, commit = base_source(name, local_folder), pinned_revision(name, local_folder, revision)
    try:
        file = Path(source) / "transformer" / "config.json"
        if not file.is_file():
            from huggingface_hub import hf_hub_download

            file = Path(
                hf_hub_download(source, "transformer/config.json", revision=commit, token=os.environ.get("HF_TOKEN"))
            )
        config = json.loads(file.read_text(encoding="utf-8"))
        return config, str(config["_class_name"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{source} has no readable transformer/config.json ({type(error).__name__}): get the base's files again, "
            "or connect to the hub"
        ) from None
