"""The file of a LoRA on this machine or on the hub, opened without trusting it: only safetensors, never a pickle."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anomend.params.external import ExternalLoraParams
from anomend.project.checkouts import found

PICKLES = (".bin", ".ckpt", ".pkl", ".pt", ".pth")
PEFT_CONFIG = "adapter_config.json"
"""Beside PEFT's own files, which have no alpha: it is in there."""
KNOWN_NAMES = ("adapter_model.safetensors", "pytorch_lora_weights.safetensors")
"""What PEFT and diffusers call the weights in a folder."""
LONGEST_HEADER = 100_000_000
"""Bytes; what safetensors itself accepts."""


@dataclass(frozen=True, kw_only=True)
class LoraFile:
    """A LoRA's file, with what stands beside its tensors."""

    path: Path
    shapes: Mapping[str, tuple[int, ...]]
    """Shape of each tensor, by its key."""
    metadata: Mapping[str, str]
    peft_config: Mapping[str, Any] | None
    """Content of adapter_config.json; None where there is none."""


def locate(settings: ExternalLoraParams, parameter: str) -> LoraFile:
    """Find the file that the parameters name, get it from the hub if it is there, and read its header.

    Args:
        settings: they name a file.
        parameter: their section, such as `train.external`, for the sentences.

    Raises:
        ValueError: there is no such file, it is a pickle, or it is not safetensors.
        FileNotFoundError: the hub cannot be reached, or does not have it.
    """
    assert settings.file is not None
    _refuse_pickle(Path(settings.file), parameter)
    if settings.repository:
        path, config = _from_hub(settings, parameter)
    else:
        path, config = _on_disk(settings.file, parameter)
    shapes, metadata = read_header(path, parameter)
    return LoraFile(path=path, shapes=shapes, metadata=metadata, peft_config=_json(config) if config else None)


def read_header(path: Path, parameter: str) -> tuple[dict[str, tuple[int, ...]], dict[str, str]]:
    """Shapes by key, and the metadata, of a safetensors file; its tensors are not read.

    Layout (safetensors' format): 8 bytes of little-endian header length, the header as JSON, the tensors' bytes.

    Raises:
        ValueError: it is not one.
    """
    try:
        with path.open("rb") as handle:
            size = int.from_bytes(handle.read(8), "little")
            if not 2 <= size <= min(LONGEST_HEADER, path.stat().st_size - 8):
                raise ValueError("it has no header")
            header = json.loads(handle.read(size))
        metadata = header.pop("__metadata__", {})
        return {key: tuple(entry["shape"]) for key, entry in header.items()}, dict(metadata)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(
            f"{parameter}.file: {path} cannot be read as safetensors ({' '.join(str(error).split())[:120]}): get the "
            "LoRA as a .safetensors file"
        ) from None


def _refuse_pickle(path: Path, parameter: str) -> None:
    if path.suffix.lower() in PICKLES:
        raise ValueError(
            f"{parameter}.file = {str(path)!r} is a pickle, which can run any code when it is read: get the LoRA as a "
            ".safetensors file"
        )


def _on_disk(named: str, parameter: str) -> tuple[Path, Path | None]:
    path = found(named)
    if path.is_dir():
        candidates = [path / name for name in KNOWN_NAMES if (path / name).is_file()]
        files = candidates or sorted(path.glob("*.safetensors"))
        if len(files) != 1:
            pickles = sorted(each.name for each in path.iterdir() if each.suffix.lower() in PICKLES)
            if not files and pickles:
                _refuse_pickle(path / pickles[0], parameter)
            raise ValueError(f"{parameter}.file = {named!r} is a folder with {len(files)} LoRAs: name the file")
        path = files[0]
    if not path.is_file():
        raise ValueError(f"{parameter}.file = {named!r} is not on this machine: put it there, or fix the parameter")
    _refuse_pickle(path, parameter)
    config = path.parent / PEFT_CONFIG
    # Of a single file only its own contents decide what is stale (`anomend.pipeline.inputs`).
    return path, config if found(named).is_dir() and config.is_file() else None


def _from_hub(settings: ExternalLoraParams, parameter: str) -> tuple[Path, Path | None]:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError

    repository, revision = str(settings.repository), str(settings.revision)

    def get(name: str) -> Path:
        return Path(hf_hub_download(repository, name, revision=revision))

    name = str(settings.file)
    try:
        path = get(name)
        try:
            config = get((Path(name).parent / PEFT_CONFIG).as_posix())
        except (EntryNotFoundError, OSError):
            config = None
        return path, config
    except (OSError, ValueError, HfHubHTTPError) as error:
        raise FileNotFoundError(
            f"{parameter}: {name} of {repository} at {revision[:12]} is not in the Hugging Face "
            f"cache and the hub did not give it ({type(error).__name__}): check the names, go online once, or set "
            "HF_TOKEN if the repository is private"
        ) from error


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        content = None
    if not isinstance(content, dict):
        raise ValueError(f"{path} is not a JSON object: get the LoRA's files again")
    return content
