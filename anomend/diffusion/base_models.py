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
from anomend.families.family import Family
from anomend.families.latent_format import LatentFormat
from anomend.families.table import FAMILIES, family_named
from anomend.project.checkouts import found

# diffusers takes seconds, and is imported where it is used.
if TYPE_CHECKING:
    from diffusers import DiffusionPipeline


def base_source(name: str, local_folder: str | None) -> str:
    """Where a base is loaded from: its repository on the hub, or a folder, in this checkout or in the main one."""
    base = BASE_MODELS[name]
    return base.source if _is_on_hub(name, local_folder) else str(found(local_folder or base.source))


def family_of_base(name: str) -> Family:
    """The family of a base.

    Raises:
        ValueError: there is no such base.
    """
    if name not in BASE_MODELS:
        raise ValueError(f"base.name = {name!r} is not a supported base: choose one of {', '.join(BASE_MODELS)}")
    return family_named(BASE_MODELS[name].pipeline)


def pinned_revision(name: str, local_folder: str | None, revision: str | None = None) -> str | None:
    """The commit of a base on the hub; None for one in a folder.

    Args:
        name: key of `BASE_MODELS`.
        local_folder: folder in the hub's layout that replaces the table's source.
        revision: `base.revision`, which replaces the table's.

    Raises:
        ValueError: no commit is known, or one is named for a folder.
    """
    base = BASE_MODELS[name]
    if not _is_on_hub(name, local_folder):
        if revision is not None:
            where = f"base.local_folder = {local_folder!r}" if local_folder else f"base.name = {name!r}"
            raise ValueError(f"base.revision is a commit on the hub, and {where} is a folder: leave one of them out")
        return None
    if (revision or base.revision) is None:
        raise ValueError(
            f"base.name = {name!r} has no pinned commit here, and its weights could change: set base.revision to the "
            f"commit of {base.source} that you have looked at (40 hexadecimal digits, on its page under Files, "
            "History), or base.local_folder to a copy"
        )
    return revision or base.revision


def where(name: str, local_folder: str | None, revision: str | None = None) -> dict[str, Any]:
    """Arguments of `from_pretrained` that lead to a base; raises as `pinned_revision`."""
    return {
        "pretrained_model_name_or_path": base_source(name, local_folder),
        "revision": pinned_revision(name, local_folder, revision),
        "token": os.environ.get("HF_TOKEN"),
    }


def load_pipeline(
    name: str, local_folder: str | None, dtype: str, *, revision: str | None = None, **parts: Any
) -> DiffusionPipeline:
    """Load a base as diffusers' own pipeline, on the CPU.

    Args:
        name: key of `BASE_MODELS`.
        local_folder: folder in the hub's layout that replaces the table's source.
        dtype: float32, bfloat16 or float16, for the transformer and the text encoders.
        revision: commit on the hub that replaces the table's.
        parts: components for `from_pretrained`; None leaves one out, as `transformer=None` does while encoding.

    Raises:
        ValueError: unknown base, missing or gated weights, or a folder of another family; the sentence names the fix.
    """
    family, source = family_of_base(name), base_source(name, local_folder)
    on_hub = _is_on_hub(name, local_folder)
    if not on_hub and not (Path(source) / "model_index.json").exists():
        raise ValueError(
            f"{source} is not a diffusers pipeline (no model_index.json): set base.local_folder to the folder of one"
        )
    import torch
    from diffusers.utils import logging
    from safetensors import SafetensorError

    logging.disable_progress_bar()
    parts = absent_parts(name, local_folder) | parts
    _refuse_other_family(name, local_folder)
    place = where(name, local_folder, revision)
    try:
        pipeline = family.pipeline_class().from_pretrained(
            torch_dtype=getattr(torch, dtype),
            use_safetensors=True,
            **place,
            **parts,
        )
    except (OSError, ValueError, SafetensorError) as error:
        raise ValueError(_loading_hint(source, error, on_hub=on_hub)) from error
    family.check(pipeline)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def load_text_encoders(
    name: str, local_folder: str | None, dtype: str, *, revision: str | None = None, **parts: Any
) -> DiffusionPipeline:
    """The base's text encoders alone; raises as `load_pipeline`."""
    unneeded = family_of_base(name).unneeded_for_texts(absent_parts(name, local_folder))
    return load_pipeline(name, local_folder, dtype, revision=revision, **dict.fromkeys(unneeded), **parts)


def load_denoiser(
    name: str, local_folder: str | None, dtype: str, *, revision: str | None = None, **parts: Any
) -> DiffusionPipeline:
    """Transformer, VAE and scheduler, for texts that are already encoded; raises as `load_pipeline`."""
    texts = dict.fromkeys(family_of_base(name).text_parts)
    return load_pipeline(name, local_folder, dtype, revision=revision, **texts, **parts)


def absent_parts(name: str, local_folder: str | None) -> dict[str, None]:
    """Components that a local model_index.json lists as null, such as a missing T5; diffusers must be given them."""
    return {name: None for name, entry in _index(name, local_folder).items() if entry == [None, None]}


def _index(name: str, local_folder: str | None) -> dict[str, Any]:
    """The content of a local model_index.json; empty where there is none."""
    index = Path(base_source(name, local_folder)) / "model_index.json"
    if not index.exists():
        return {}
    try:
        entries = json.loads(index.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{index} is not valid JSON ({error}): get the base's files again") from None
    if not isinstance(entries, dict):
        raise ValueError(f"{index} is not a JSON object: get the base's files again")
    return entries


def _refuse_other_family(name: str, local_folder: str | None) -> None:
    wanted = BASE_MODELS[name].pipeline
    held = _index(name, local_folder).get("_class_name", wanted)
    if held != wanted:
        bases = [other for other, base in BASE_MODELS.items() if base.pipeline == held]
        fix = f"set base.name to {' or '.join(bases)}" if bases else f"choose one of {', '.join(FAMILIES)}"
        raise ValueError(
            f"{base_source(name, local_folder)} holds diffusers' {held}, and base.name = {name!r} is a {wanted}: {fix}"
        )


def _is_on_hub(name: str, local_folder: str | None) -> bool:
    return BASE_MODELS[name].on_hub and not local_folder


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


def fingerprint(name: str, local_folder: str | None, revision: str | None = None) -> str:
    """What identifies the base's weights: SHA-256 over a folder's files, or `repository@revision` on the hub.

    Raises:
        ValueError: no commit is known.
    """
    if commit := pinned_revision(name, local_folder, revision):
        return f"{BASE_MODELS[name].source}@{commit}"
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


def load_latent_format(name: str, local_folder: str | None, revision: str | None = None) -> LatentFormat:
    """Scale and shift of a base's latents."""
    source, place = base_source(name, local_folder), where(name, local_folder, revision)
    try:
        return family_of_base(name).latent_format(**place, subfolder="vae")
    except KeyError as error:
        raise ValueError(f"{source} has no {error.args[0]} in vae/config.json: get its files again") from None
    except (OSError, ValueError) as error:
        raise ValueError(_loading_hint(source, error, on_hub=_is_on_hub(name, local_folder))) from error
