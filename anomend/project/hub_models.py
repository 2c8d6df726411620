"""Models of the Hugging Face hub, by pinned revision, or from a local folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from anomend.project.checkouts import found


def hub_folder(repository: str, revision: str, *extra: str, otherwise: str) -> Path:
    """The local folder of a repository's config and weights, downloaded at first use.

    Args:
        repository: `owner/name` on the hub, or a folder on disk, in this checkout or in the main one.
        revision: commit on the hub.
        extra: names of further files to download.
        otherwise: what a user can do who cannot reach the hub; the end of the error's sentence.

    Raises:
        FileNotFoundError: the files are not in the cache, and the hub cannot be reached.
    """
    if found(repository).is_dir():
        return found(repository)
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError

    files = ["config.json", "model.safetensors", *extra]
    try:
        return Path(snapshot_download(repository, revision=revision, allow_patterns=files))
    except (OSError, ValueError, HfHubHTTPError) as error:
        raise FileNotFoundError(
            f"the weights of {repository} at revision {revision[:12]} are not in the Hugging Face cache and the hub"
            f" cannot be reached: go online once, or {otherwise}"
        ) from error


def whole_model(architecture: Any, folder: Path) -> Any:
    """Load a transformers model for inference, with all its weights.

    Raises:
        ValueError: weights are missing or do not fit; transformers by itself would leave them at random values.
    """
    model, info = architecture.from_pretrained(folder, output_loading_info=True)
    wrong = sorted([*info["missing_keys"], *info["mismatched_keys"]])
    if wrong:
        raise ValueError(f"the weights in {folder} do not fit {architecture.__name__} ({wrong[0]}): fetch them again")
    return model.eval()
