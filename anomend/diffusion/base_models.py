"""How the supported base models are loaded; `bases` is their table."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anomend.diffusion.bases import BASE_MODELS as BASE_MODELS
from anomend.diffusion.bases import FILES
from anomend.diffusion.bases import BaseModel as BaseModel
from anomend.diffusion.latent_format import LatentFormat
from anomend.project.checkouts import found

# diffusers takes seconds, and is imported where it is used.
if TYPE_CHECKING:
    from diffusers import StableDiffusion3Pipeline


def base_source(name: str, local_folder: str | None) -> str:
    """Where a base is loaded from: its repository on the hub, or a folder, in this checkout or in the main one."""
    base = BASE_MODELS[name]
    return str(found(local_folder or base.source)) if local_folder or base.revision is None else base.source


def load_pipeline(name: str, local_folder: str | None, dtype: str, **parts: Any) -> StableDiffusion3Pipeline:
    """Load a base as diffusers' own pipeline, on the CPU.

    Args:
        name: key of `BASE_MODELS`.
        local_folder: folder in the hub's layout that replaces the table's source.
        dtype: float32, bfloat16 or float16, for the transformer and the text encoders.
        parts: components for `from_pretrained`; None leaves one out, as `transformer=None` does while encoding.

    Raises:
        ValueError: unknown base, missing or gated weights; the sentence names the fix.
    """
    if name not in BASE_MODELS:
        raise ValueError(f"base.name = {name!r} is not a supported base: choose one of {', '.join(BASE_MODELS)}")
    base = BASE_MODELS[name]
    source = base_source(name, local_folder)
    if (local_folder or base.revision is None) and not (Path(source) / "model_index.json").exists():
        raise ValueError(
            f"{source} is not a diffusers pipeline (no model_index.json): set base.local_folder to the folder of one"
        )
    import torch
    from diffusers import StableDiffusion3Pipeline
    from diffusers.utils import logging
    from safetensors import SafetensorError

    logging.disable_progress_bar()
    parts = absent_parts(name, local_folder) | parts
    try:
        pipeline = StableDiffusion3Pipeline.from_pretrained(
            source,
            revision=None if local_folder else base.revision,
            torch_dtype=getattr(torch, dtype),
            token=os.environ.get("HF_TOKEN"),
            use_safetensors=True,
            **parts,
        )
    except (OSError, ValueError, SafetensorError) as error:
        raise ValueError(_loading_hint(source, error, on_hub=_is_on_hub(name, local_folder))) from error
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


TEXT_PARTS = ("text_encoder", "text_encoder_2", "text_encoder_3", "tokenizer", "tokenizer_2", "tokenizer_3")


def load_text_encoders(name: str, local_folder: str | None, dtype: str, **parts: Any) -> StableDiffusion3Pipeline:
    """The base's text encoders alone; raises as `load_pipeline`."""
    # A pipeline without T5 takes the width of the text from the transformer.
    unneeded = {} if "text_encoder_3" in absent_parts(name, local_folder) else {"transformer": None}
    return load_pipeline(name, local_folder, dtype, vae=None, **unneeded, **parts)


def load_denoiser(name: str, local_folder: str | None, dtype: str, **parts: Any) -> StableDiffusion3Pipeline:
    """Transformer, VAE and scheduler, for texts that are already encoded; raises as `load_pipeline`."""
    return load_pipeline(name, local_folder, dtype, **dict.fromkeys(TEXT_PARTS), **parts)


def absent_parts(name: str, local_folder: str | None) -> dict[str, None]:
    """Components that a local model_index.json lists as null, such as a missing T5; diffusers must be given them."""
    index = Path(base_source(name, local_folder)) / "model_index.json"
    if not index.exists():
        return {}
    try:
        entries = json.loads(index.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{index} is not valid JSON ({error}): get the base's files again") from None
    if not isinstance(entries, dict):
        raise ValueError(f"{index} is not a JSON object: get the base's files again")
    return {name: None for name, entry in entries.items() if entry == [None, None]}


def _is_on_hub(name: str, local_folder: str | None) -> bool:
    return BASE_MODELS[name].revision is not None and not local_folder


def _loading_hint(source: str, error: Exception, *, on_hub: bool) -> str:
    text = " ".join(str(error).split())
    if not on_hub:
        # Its own name may have any of the words below.
        return (
            f"{source} cannot be loaded ({text[:300]}): get its files again, or set base.local_folder to another copy"
        )
    if "gated" in text.lower() or re.search(r"\b40[13]\b", text):
        return f"{source} is gated: accept its licence on the hub and set HF_TOKEN in the environment"
    if any(word in text.lower() for word in ("offline", "connect", "resolve", "cached")):
        return f"{source} is not on this machine and the hub cannot be reached: connect, or set base.local_folder"
    return f"{source} cannot be loaded ({text[:200]}): check the files or set base.local_folder"


def fingerprint(name: str, local_folder: str | None) -> str:
    """What identifies the base's weights: SHA-256 over a folder's files, or `repository@revision` on the hub."""
    if _is_on_hub(name, local_folder):
        return f"{BASE_MODELS[name].source}@{BASE_MODELS[name].revision}"
    folder = Path(base_source(name, local_folder))
    digest = hashlib.sha256()
    for path in sorted(path for path in _files_in(folder) if path.is_file() and path.suffix in FILES):
        digest.update(str(path.relative_to(folder)).encode())
        with path.open("rb") as handle:
            # In parts: a file of T5 is larger than the memory of many machines.
            while part := handle.read(1 << 20):
                digest.update(part)
    return f"sha256:{digest.hexdigest()}"


def _files_in(folder: Path) -> Iterator[Path]:
    """The files of a folder and its sub-folders; links are followed, as diffusers follows them."""
    seen: set[str] = set()
    for parent, folders, names in os.walk(folder, followlinks=True):
        if (real := os.path.realpath(parent)) in seen:
            folders.clear()
            continue
        seen.add(real)
        yield from (Path(parent, name) for name in names)


def load_latent_format(name: str, local_folder: str | None) -> LatentFormat:
    """Scale and shift of a base's latents, from its VAE's configuration alone."""
    from diffusers import AutoencoderKL

    base, source = BASE_MODELS[name], base_source(name, local_folder)
    try:
        config = AutoencoderKL.load_config(
            source,
            subfolder="vae",
            revision=None if local_folder else base.revision,
            token=os.environ.get("HF_TOKEN"),
        )
    except (OSError, ValueError) as error:
        raise ValueError(_loading_hint(source, error, on_hub=_is_on_hub(name, local_folder))) from error
    if "scaling_factor" not in config:
        raise ValueError(f"{source} has no scaling_factor in vae/config.json: get its files again")
    return LatentFormat(scaling_factor=config["scaling_factor"], shift_factor=config.get("shift_factor") or 0.0)
