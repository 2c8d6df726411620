"""From a LoRA file of any layout to adapters by diffusers' module name.

The layouts differ in how keys begin, in what they call the matrices, in whose names the modules have (diffusers' or
the original code's, whole or with `_` for `.`), and in where alpha is. Names are looked up with `_` for `.`, so one
table serves all. The original code's names, its q, k and v in one, and its order of shift and scale are the concern
of `anomend.exporting.kohya`.

Where modules have diffusers' names, whole or flat, files of every family are read here. The original code's names are
read here for Stable Diffusion 3, for which diffusers has no converter, and by its converters for the other families
(`LoraFamily.in_diffusers_layout`). These get the matrices with their scale in them (`matrices_of`), because they differ
in what they make of an alpha, and none reads one from the file's metadata.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from peft.utils.other import get_pattern_key

from anomend.exporting import original_names
from anomend.exporting.adapters import GET_AGAIN, Adapter, Weights, by_module
from anomend.exporting.kohya import PREFIX as KOHYA
from anomend.exporting.kohya import from_kohya
from anomend.importing.families import SD3, LoraFamily
from anomend.importing.files import PEFT_CONFIG
from anomend.importing.keys import PREFIXES, named, pair_of, prefix_of, refuse_other_kinds


class UnknownModules(ValueError):
    """The file has modules by names that are neither diffusers' nor known as the original code's."""


ALPHAS = ("alpha", "lora_alpha")
ORIGINAL_CODE = "the original code"
"""Whose layout keys without a prefix have."""
NEAR = 1e-4
"""Largest relative difference of two scales that say the same: an alpha may be kept in 16 bits."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How the keys of a file are spelt, and the module of each name in it."""

    prefix: str
    down: str
    up: str
    modules: Mapping[str, str]
    """By name in the file without prefix: diffusers' module, where the file has that name."""
    originals: frozenset[str] = frozenset()
    """Names in the file, without prefix, that are the original code's."""

    @property
    def words(self) -> str:
        """Whose layout it is."""
        return PREFIXES[self.prefix] if self.prefix else ORIGINAL_CODE if self.originals else "PEFT"

    @property
    def of_peft(self) -> bool:
        """Whether alpha may be in PEFT's own file beside it."""
        return self.words == "PEFT"

    @property
    def pattern(self) -> str:
        """Matches a key; its groups are the module's name and the part."""
        parts = "|".join(map(re.escape, (self.down, self.up, *ALPHAS)))
        return rf"{re.escape(self.prefix)}(.+?)\.({parts})(?:\.default)?(?:\.weight)?"


def layout_of(keys: Iterable[str], family: LoraFamily = SD3) -> Layout:
    """The layout of a file's keys.

    Raises:
        UnknownModules: some are not of a transformer of the family; the sentence names them.
        ValueError: there is anything but a plain LoRA; the sentence names keys.
    """
    keys = sorted(keys)
    layout = _spelling(keys)
    down, up, prefix = layout.down, layout.up, layout.prefix
    names = dict.fromkeys(match[1] for key in keys if (match := re.fullmatch(layout.pattern, key)))
    diffusers = {name.replace(".", "_"): name for name in family.projections()}
    modules = {name: diffusers[flat] for name in names if (flat := name.replace(".", "_")) in diffusers}
    originals = frozenset(name for name in names if family.originals and name not in modules and _is_original(name))
    if unknown := [name for name in names if name not in modules and name not in originals]:
        raise UnknownModules(
            f"{named(unknown)} cannot be found in the transformer of {family.title}: name a LoRA that was trained "
            "on this base"
        )
    return Layout(prefix=prefix, down=down, up=up, modules=modules, originals=originals)


def _spelling(keys: Sequence[str]) -> Layout:
    """How the keys are spelt, whatever the modules."""
    refuse_other_kinds(keys)
    (down, up), prefix = pair_of(keys), prefix_of(keys)
    layout = Layout(prefix=prefix, down=down, up=up, modules={})
    if strange := [key for key in keys if not re.fullmatch(layout.pattern, key)]:
        raise ValueError(f"{named(strange)} cannot be read as parts of a plain LoRA: get the file again")
    return layout


def matrices_of(
    weights: Weights,
    *,
    metadata: Mapping[str, str] | None = None,
    peft_config: Mapping[str, Any] | None = None,
) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """The matrices by the names in the file, without prefix, in float32, each scale in the second one.

    Args and errors are those of `read_adapters`.
    """
    layout = _spelling(sorted(weights))
    config = _config(metadata or {}, peft_config if layout.of_peft else None)
    matrices = {}
    for name, found in by_module(weights, layout.pattern, {layout.down, layout.up}).items():
        down, up = found[layout.down].float(), found[layout.up].float()
        matrices[name] = (down, _scale(name, found, config, rank=len(down)) * up)
    return matrices


def _is_original(name: str) -> bool:
    try:
        return bool(original_names.diffusers_names(name.replace(".", "_")))
    except ValueError:
        return False


def read_adapters(
    weights: Weights,
    layout: Layout,
    *,
    metadata: Mapping[str, str] | None = None,
    peft_config: Mapping[str, Any] | None = None,
) -> dict[str, Adapter]:
    """Adapters by diffusers' module name.

    Alpha is that of the file's `.alpha`, else of diffusers' metadata, else of PEFT's adapter_config.json; without any
    the scale is 1, as ComfyUI, diffusers and OneTrainer take it. Of PEFT's own layout it must be known.

    Args:
        weights: the file's tensors.
        layout: `layout_of` their keys.
        metadata: the file's.
        peft_config: content of adapter_config.json; None: there is none.

    Raises:
        ValueError: parts are missing, do not fit or are not finite, two alphas contradict each other, or all weights
            are 0.
    """
    parts = by_module(weights, layout.pattern, {layout.down, layout.up})
    config = _config(metadata or {}, peft_config if layout.of_peft else None)
    known = config or any(name in found for found in parts.values() for name in ALPHAS)
    if layout.of_peft and not known:
        raise ValueError(
            f"its keys are PEFT's, whose alpha is in {PEFT_CONFIG}: put that beside it, and name their folder"
        )
    adapters: dict[str, Adapter] = {}
    originals: dict[str, torch.Tensor] = {}
    for name, found in parts.items():
        down, up = found[layout.down], found[layout.up]
        scale = _scale(name, found, config, rank=down.shape[0])
        if name in layout.originals:
            key = KOHYA + name.replace(".", "_")
            originals |= {f"{key}.lora_down.weight": down, f"{key}.lora_up.weight": up}
            originals[f"{key}.alpha"] = torch.tensor(scale * down.shape[0], dtype=torch.float64)
        else:
            adapters[layout.modules[name]] = Adapter(down, up, scale)
    if originals:
        adapters |= from_kohya(originals)
    if not any(adapter.scale and adapter.down.any() and adapter.up.any() for adapter in adapters.values()):
        raise ValueError("all its weights are 0, or its alphas, so that it changes nothing: name another file")
    return adapters


def _config(metadata: Mapping[str, str], peft_config: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """PEFT's configuration of the adapter, from diffusers' metadata or from its file; empty where there is none."""
    if "lora_adapter_metadata" not in metadata:
        return peft_config or {}
    try:
        config = json.loads(metadata["lora_adapter_metadata"])
        return {str(key).removeprefix("transformer."): value for key, value in config.items()}
    except (ValueError, AttributeError):
        raise ValueError(f"its lora_adapter_metadata is damaged: {GET_AGAIN}") from None


def _scale(name: str, parts: Mapping[str, torch.Tensor], config: Mapping[str, Any], *, rank: int) -> float:
    """Factor of up @ down."""
    of_key = next((parts[key] for key in ALPHAS if key in parts), None)
    if of_key is not None and of_key.numel() != 1:
        raise ValueError(f"the alpha of {name} has {of_key.numel()} values: {GET_AGAIN}")
    by_key = None if of_key is None else float(of_key) / rank
    by_config = _scale_of_config(name, config, rank)
    if by_key is not None and by_config is not None and not math.isclose(by_key, by_config, rel_tol=NEAR):
        raise ValueError(
            f"the scale of {name} is {by_key:g} by its alpha and {by_config:g} by the file's metadata, which "
            "contradict each other: ask its author which is right"
        )
    scale = by_key if by_key is not None else by_config if by_config is not None else 1.0
    if not math.isfinite(scale):
        raise ValueError(f"the alpha of {name} is {scale * rank}: {GET_AGAIN}")
    return scale


def _scale_of_config(name: str, config: Mapping[str, Any], rank: int) -> float | None:
    if config.get("lora_alpha") is None:
        return None
    alphas = config.get("alpha_pattern") or {}
    try:
        alpha = float(alphas.get(get_pattern_key(alphas.keys(), name), config["lora_alpha"]))
    except (TypeError, ValueError, AttributeError, re.error):
        raise ValueError(f"its lora_alpha or alpha_pattern is damaged: {GET_AGAIN}") from None
    if config.get("use_dora"):
        raise ValueError("its configuration says use_dora, and only plain LoRAs are judged: get a plain LoRA")
    return alpha / (math.sqrt(rank) if config.get("use_rslora") else rank)
