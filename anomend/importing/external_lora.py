"""Take a LoRA of another program: check it, write it as diffusers loads it, and note whose it is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from anomend.diffusion.base_models import fingerprint
from anomend.diffusion.linear_layers import linear_layers
from anomend.diffusion.lora_folder import lora_sha256
from anomend.diffusion.lora_origin import LoraOrigin, write_origin
from anomend.exporting.adapters import Adapter, write_diffusers
from anomend.exporting.lora_tensors import computable
from anomend.importing.cards import CARD, external_card, remove_lora
from anomend.importing.checks import external_loras
from anomend.importing.families import LoraFamily, lora_family
from anomend.importing.files import LoraFile, locate
from anomend.importing.keys import PREFIXES, named, prefix_of
from anomend.importing.layouts import ORIGINAL_CODE, UnknownModules, layout_of, matrices_of, read_adapters
from anomend.params.external import ExternalLoraParams
from anomend.params.params import Params
from anomend.project.devices import resolve_device
from anomend.project.files import sha256_of, write_whole

NOT_TRAINED = "the LoRA is another program's: it was not trained here"


def check_external(settings: ExternalLoraParams, parameter: str, base: str) -> LoraFile:
    """Refuse what can be refused by the names of the tensors, before anything runs.

    Args:
        settings: they name a file.
        parameter: their section, for the sentences.
        base: name of the base.

    Raises:
        ValueError: the file is missing, a pickle or broken, or has anything but a plain LoRA of a transformer.
        FileNotFoundError: the hub does not give it.
    """
    file, family = locate(settings, parameter), lora_family(base)
    try:
        layout_of(file.shapes, family)
        return file
    except UnknownModules as error:
        if family.converter is not None:
            return file
        raise ValueError(f"{parameter}.file: {file.path}: {error}") from None
    except ValueError as error:
        raise ValueError(f"{parameter}.file: {file.path}: {error}") from None


def take_external(settings: ExternalLoraParams, parameter: str, params: Params, folder: Path) -> LoraOrigin:
    """Write the LoRA into a folder for diffusers' `load_lora_weights`, with what is known of it.

    Args:
        settings: they name a file.
        parameter: their section, for the sentences.
        params: all parameters; their base must have the LoRA's modules, with its shapes.
        folder: the folder; it is made, and what an earlier run left there is replaced.

    Raises:
        ValueError: as `check_external`; or tensors are broken, not finite, or do not fit each other or the base.
        FileNotFoundError: as `check_external`.
    """
    base = params.base
    file, family = check_external(settings, parameter, base.name), lora_family(base.name)
    try:
        sha256 = sha256_of(file.path)
        weights = {key: computable(value, key, file.path) for key, value in load_file(file.path).items()}
        words, adapters = adapters_of(weights, family, metadata=file.metadata, peft_config=file.peft_config)
        refuse_other_base(adapters, linear_layers(base.name, base.local_folder, base.revision), base.name)
        # One that was never trained changes nothing, and is in no file where q, k and v are one.
        adapters = {name: adapter for name, adapter in adapters.items() if adapter.down.any() and adapter.up.any()}
        remove_lora(folder)
        # In the precision that a LoRA is trained and saved in here; it holds each value of 16 bits.
        write_diffusers({name: Adapter(a.down.float(), a.up.float(), a.scale) for name, a in adapters.items()}, folder)
    except (OSError, SafetensorError) as error:
        raise ValueError(f"{parameter}.file: {file.path} is broken ({error}): get it again") from None
    except ValueError as error:
        raise ValueError(f"{parameter}.file: {file.path}: {error}") from None
    ranks = [adapter.down.shape[0] for adapter in adapters.values()]
    scales = [adapter.scale for adapter in adapters.values()]
    origin = LoraOrigin(
        author=settings.owner,
        source=settings.origin,
        file=Path(str(settings.file)).name,
        file_sha256=sha256,
        layout=words,
        modules=len(adapters),
        rank_min=min(ranks),
        rank_max=max(ranks),
        scale_min=min(scales),
        scale_max=max(scales),
    )
    write_origin(folder, origin)
    write_whole(folder / CARD, external_card(origin, params.base.name))
    return origin


def adapters_of(
    weights: Mapping[str, torch.Tensor],
    family: LoraFamily,
    *,
    metadata: Mapping[str, str],
    peft_config: Mapping[str, Any] | None,
) -> tuple[str, dict[str, Adapter]]:
    """Whose layout a file has, and its adapters by diffusers' module name.

    Args:
        weights: the file's tensors.
        family: of the base.
        metadata: the file's.
        peft_config: content of adapter_config.json; None: there is none.

    Raises:
        ValueError: as `read_adapters` and `LoraFamily.in_diffusers_layout`.
    """
    try:
        layout = layout_of(weights, family)
        return layout.words, read_adapters(weights, layout, metadata=metadata, peft_config=peft_config)
    except UnknownModules:
        if family.converter is None:
            raise
    prefix = prefix_of(weights)
    matrices = matrices_of(weights, metadata=metadata, peft_config=peft_config)
    converted = family.in_diffusers_layout(matrices, flat=prefix.endswith("_"))
    words = PREFIXES[prefix] if prefix else ORIGINAL_CODE
    return words, read_adapters(converted, layout_of(converted, family))


def refuse_other_base(adapters: Mapping[str, Adapter], layers: Mapping[str, tuple[int, int]], base: str) -> None:
    """Refuse adapters that the base has no layer for, or one of another shape.

    Raises:
        ValueError: there are such; the sentence names them.
    """
    if absent := [module for module in adapters if module not in layers]:
        raise ValueError(f"base {base} has no layer {named(absent)}: name a LoRA that was trained on this base")
    for module, adapter in adapters.items():
        shape = (adapter.up.shape[0], adapter.down.shape[1])
        if shape != layers[module]:
            raise ValueError(
                f"{module} is for {shape[1]} inputs and {shape[0]} outputs, and base {base} has "
                f"{layers[module][1]} and {layers[module][0]} there: name a LoRA that was trained on this base"
            )


def external_lora(parameter: str, params: Params, folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Take the LoRA that a section of parameters names; its metrics and provenance, under the keys of a trained one.

    Args:
        parameter: `train.external` or `sample.against`.
        params: all parameters.
        folder: as in `take_external`, which also says what is raised.
    """
    origin = take_external(external_loras(params)[parameter], parameter, params, folder)
    metrics = {
        "lora_sha256": lora_sha256(folder),
        "steps": None,
        "kept_step": None,
        "stopped_early": False,
        "train_seed": None,
        "reason": NOT_TRAINED,
        **origin.as_metrics(),
    }
    base = params.base
    provenance = {
        "n": 0,
        "n_class": 0,
        "n_losers": 0,
        "base": base.name,
        "base_weights": fingerprint(base.name, base.local_folder, base.revision),
        "device": resolve_device(base.device).type,
    }
    return metrics, provenance
