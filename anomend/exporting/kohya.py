"""A LoRA in the layout of kohya's sd-scripts for Stable Diffusion 3, which ComfyUI and others load too, and back.

What each part follows:

- Keys: `lora_unet_`, the original code's name of the module (`original_names`) with `_` for `.`, then
  `.lora_down.weight`, `.lora_up.weight`, `.alpha` (sd-scripts `networks/lora_sd3.py`; ComfyUI `comfy/lora.py` builds
  the same keys from the model's own names).
- Scale: both apply alpha / rows of lora_down. sd-scripts needs every `.alpha`. ComfyUI takes scale 1 without it, and so
  it does for diffusers' own file, whose alpha is in metadata that ComfyUI does not read.
- Fused projections: the original's `qkv` is q, k and v stacked by rows. Their adapters become one of rank
  r_q + r_k + r_v: lora_down stacked, lora_up block-diagonal, alpha such that alpha / rank stays. (sd-scripts'
  `split_qkv` writes the same blocks with alpha as it was, which loads with a third of the scale.)
- Modulation that is only shift and scale (`norm_out`, the last block's context): the original puts the shift first,
  diffusers the scale. Halves are swapped as diffusers and ComfyUI (`mmdit_to_diffusers`) swap the weights'.
- DoRA is refused. sd-scripts ignores `.dora_scale` here; ComfyUI divides by the norm of the weight without the adapter
  where peft takes it with the adapter, and older versions work along the other axis.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch

from anomend.diffusion.finite import check_finite
from anomend.exporting.adapters import GET_AGAIN, NO_DORA, Adapter, Weights, by_module
from anomend.exporting.original_names import diffusers_names, original_name

PREFIX = "lora_unet_"


def to_kohya(adapters: Mapping[str, Adapter]) -> dict[str, torch.Tensor]:
    """Weights by kohya's keys, from adapters by diffusers' module name.

    Raises:
        ValueError: a module that the layout does not have, q, k and v that differ in shape, or a value that is not
            finite.
    """
    placed: dict[str, Adapter] = {}
    fused: dict[str, dict[int, Adapter]] = {}
    for module, adapter in adapters.items():
        original, part = original_name(module)
        if original.endswith("qkv"):
            fused.setdefault(original, {})[part] = adapter
        else:
            placed[original] = _halves_swapped(module, adapter)
    placed |= {original: _fuse(original, parts) for original, parts in fused.items()}
    weights = {}
    for original, adapter in sorted(placed.items()):
        key = PREFIX + original.replace(".", "_")
        weights[f"{key}.lora_down.weight"] = adapter.down.contiguous()
        weights[f"{key}.lora_up.weight"] = adapter.up.contiguous()
        weights[f"{key}.alpha"] = torch.tensor(adapter.scale * adapter.down.shape[0], dtype=torch.float32)
    for name, value in weights.items():
        check_finite(value, name, GET_AGAIN)
    return weights


def from_kohya(weights: Weights) -> dict[str, Adapter]:
    """Adapters by diffusers' module name, from weights in kohya's layout; the inverse of `to_kohya`.

    Ranks of a fused adapter that do not affect q, k or v (zero columns of lora_up) are left out there.

    Raises:
        ValueError: DoRA, another kind of adapter, a module that the transformer does not have, weights that are all 0,
            or as `by_module`.
    """
    if any(key.endswith(".dora_scale") for key in weights):
        raise ValueError(NO_DORA)
    if any(key.startswith("transformer.") for key in weights):
        raise ValueError("this is diffusers' layout already: load the file by diffusers, it needs no conversion")
    adapters = {}
    pattern = rf"{PREFIX}([^.]+)\.(lora_down|lora_up|alpha)(?:\.weight)?"
    for key, parts in by_module(weights, pattern, {"lora_down", "lora_up"}).items():
        down, up = parts["lora_down"], parts["lora_up"]
        if "alpha" in parts and parts["alpha"].numel() != 1:
            raise ValueError(f"the alpha of {key} has {parts['alpha'].numel()} values: {GET_AGAIN}")
        scale = float(parts["alpha"]) / down.shape[0] if "alpha" in parts else 1.0
        names = diffusers_names(key)
        if len(names) == 1:
            adapters[names[0]] = _halves_swapped(names[0], Adapter(down, up, scale))
            continue
        if up.shape[0] % 3:
            raise ValueError(f"{key} has {up.shape[0]} outputs, which are not q, k and v of one size: {GET_AGAIN}")
        for name, rows in zip(names, up.chunk(3), strict=True):
            reached = rows.any(dim=0)
            if reached.any():
                adapters[name] = Adapter(down[reached], rows[:, reached], scale)
    if not any(adapter.scale and adapter.down.any() and adapter.up.any() for adapter in adapters.values()):
        raise ValueError("all its weights are 0, or its alphas, so that it changes nothing: name another file")
    return adapters


def _halves_swapped(module: str, adapter: Adapter) -> Adapter:
    """Swap shift and scale, where diffusers' module returns these two; the inverse is the same swap."""
    outputs, inputs = adapter.up.shape[0], adapter.down.shape[1]
    # Every block except the last has six shifts, scales and gates.
    if module == "norm_out.linear" or (module.endswith("norm1_context.linear") and outputs == 2 * inputs):
        return Adapter(adapter.down, adapter.up.roll(outputs // 2, dims=0), adapter.scale)
    return adapter


def _fuse(original: str, parts: Mapping[int, Adapter]) -> Adapter:
    """One adapter on the stacked rows of q, k and v; a part without one keeps its weight, by rows of zeros."""
    shapes = {(part.up.shape[0], part.down.shape[1]) for part in parts.values()}
    if len(shapes) > 1:
        raise ValueError(f"{original}: its q, k and v differ in shape, {sorted(shapes)}, and cannot be fused")
    # alpha may be 0 in a file of another program.
    scale = max(part.scale for part in parts.values()) or 1.0
    none = next(iter(parts.values())).up[:, :0]
    ups = [parts[index].up * (parts[index].scale / scale) if index in parts else none for index in range(3)]
    return Adapter(torch.cat([parts[index].down for index in sorted(parts)]), torch.block_diag(*ups), scale)
