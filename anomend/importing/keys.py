"""The keys of a LoRA file: which are refused, whose layout they have, and which module each is of.

Key names as each trainer's own source has them, read at these commits (GPL and AGPL ones for their facts alone):

- sd-scripts 48d368fa, Apache-2.0, `networks/lora_sd3.py`: `lora_unet_` and the original code's name with `_` for `.`;
  `.lora_down.weight`, `.lora_up.weight`, `.alpha`; q, k and v in one.
- ComfyUI 17358c8f, GPL-3.0, `comfy/lora.py`, `comfy/weight_adapter/lora.py`: `diffusion_model.` and the original
  name, besides the layouts of most others; without `.alpha` the scale is 1.
- ai-toolkit 27a03a91, MIT, `toolkit/lora_special.py`, `toolkit/network_mixins.py`: diffusers' keys, alpha = rank and
  left out.
- SimpleTuner bc8e6ab7, AGPL-3.0, `simpletuner/helpers/training/lora_format.py`, `helpers/models/common.py`: diffusers'
  keys and metadata; with `lora_format: comfyui`, `diffusion_model.` and diffusers' name, with `.alpha`.
- OneTrainer 23df3832, AGPL-3.0, `modules/util/convert_lora_util.py`, `modules/modelSaver/mixin/LoRASaverMixin.py`:
  diffusers (alpha within lora_B), kohya, ComfyUI and original (`.alpha` kept), and `lora_transformer_` with
  diffusers' flat name.
- LyCORIS 057df549, Apache-2.0, `lycoris/wrapper.py`: `lycoris_` and the flat name of the module that it wraps.
- PEFT 6b2556e6, Apache-2.0, `src/peft/utils/save_and_load.py`: `base_model.model.` and the module's own name; alpha is
  in adapter_config.json.

tests/importing/family_files.py has what differs for the families other than Stable Diffusion 3.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from anomend.exporting.lora_tensors import TEXT_ENCODER

PREFIXES: dict[str, str] = {
    "lora_unet_": "kohya",
    "lora_transformer_": "OneTrainer",
    "lycoris_": "LyCORIS",
    "transformer.": "diffusers",
    "base_model.model.": "PEFT",
    "model.diffusion_model.": "ComfyUI",
    "diffusion_model.": "ComfyUI",
    "": "no prefix",
}
"""How the keys begin, and whose layout that is; the first that fits counts."""
PAIRS = (("lora_A", "lora_B"), ("lora_down", "lora_up"), ("lora.down", "lora.up"))
"""What the two matrices are called: (rank, inputs) and (outputs, rank)."""
KINDS: dict[str, str] = {
    "DoRA": r"\.(dora_scale|magnitude|lora_magnitude_vector)\b",
    "LoKr": r"\.lokr_",
    "LoHa": r"\.hada_",
    "OFT": r"\.(oft|boft)_",
    "GLoRA": r"\.(a1|a2|b1|b2)\.weight$",
    "a middle matrix": r"\.lora_mid\b",
    "trained norms, biases or whole weights": r"\.(diff|diff_b|w_norm|b_norm|set_weight|reshape_weight|bias)$",
    "trained embeddings": r"^bundle_emb\.|\.lora_embedding_|modules_to_save",
}
"""What is not a plain LoRA, and what its keys look like."""


def named(keys: Sequence[str]) -> str:
    """Keys in a sentence: the first two, and how many more there are."""
    first = " and ".join(keys[:2]) if len(keys) <= 2 else ", ".join(keys[:2])
    return first if len(keys) <= 2 else f"{first} and {len(keys) - 2} more"


def refuse_other_kinds(keys: Iterable[str]) -> None:
    """Refuse what is not a plain LoRA of the transformer: leaving it out would judge another model than the author's.

    Raises:
        ValueError: there are such keys, which the sentence names, or no keys at all.
    """
    keys = sorted(keys)
    if not keys:
        raise ValueError("it has no tensors: name a file with a LoRA")
    if of_texts := [key for key in keys if TEXT_ENCODER.match(key)]:
        raise ValueError(
            f"{named(of_texts)} {_are(of_texts)} for a text encoder, and texts are encoded by the base's own: get a "
            "LoRA that was trained on the transformer alone"
        )
    for kind, pattern in KINDS.items():
        if of_kind := [key for key in keys if re.search(pattern, key)]:
            raise ValueError(
                f"{named(of_kind)} {_are(of_kind)} of another kind than a plain LoRA ({kind}): get a plain LoRA, or "
                "have its author convert it"
            )


def _are(keys: Sequence[str]) -> str:
    return "is" if len(keys) == 1 else "are"


def pair_of(keys: Iterable[str]) -> tuple[str, str]:
    """What the file calls the two matrices.

    Raises:
        ValueError: it has none of them.
    """
    keys = sorted(keys)
    for down, up in PAIRS:
        if any(f".{down}." in key or key.endswith(f".{down}") for key in keys):
            return down, up
    raise ValueError(f"{named(keys)} {_are(keys)} not of a LoRA: name a file with a LoRA")


def prefix_of(keys: Iterable[str]) -> str:
    """How the keys of the file begin.

    Raises:
        ValueError: some begin in another way.
    """
    by_prefix: dict[str, list[str]] = {}
    for key in sorted(keys):
        by_prefix.setdefault(next(prefix for prefix in PREFIXES if key.startswith(prefix)), []).append(key)
    if len(by_prefix) > 1:
        first, second = (of_prefix[0] for of_prefix in list(by_prefix.values())[:2])
        raise ValueError(f"{first} and {second} are of two layouts: get the file again")
    return next(iter(by_prefix))
