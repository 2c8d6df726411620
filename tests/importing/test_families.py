"""LoRAs of families for which diffusers has a converter: every layout is read, or refused; 20 s."""

from __future__ import annotations

from functools import cache

import diffusers
import pytest
import torch

from anomend.diffusion.bases import BASE_MODELS
from anomend.exporting.adapters import Adapter
from anomend.importing.external_lora import adapters_of
from anomend.importing.families import lora_family
from anomend.importing.layouts import layout_of
from tests.importing.family_files import ALPHA, ORIGINALS, RANK, FamilyFile, family_files, lora_of

BASES = [*ORIGINALS]
LAYOUTS = [*family_files("qwen-image")]
WORDS = {
    "diffusers": "diffusers",
    "PEFT": "PEFT",
    "ai-toolkit": "ComfyUI",
    "SimpleTuner comfyui": "ComfyUI",
    "OneTrainer": "diffusers",
    "OneTrainer flat": "OneTrainer",
    "LyCORIS": "LyCORIS",
    "kohya": "kohya",
    "kohya of the original code": "kohya",
    "ComfyUI": "ComfyUI",
    "ComfyUI A B": "ComfyUI",
    "original": "the original code",
}
KOHYA = {"kohya", "kohya of the original code"}
DIFFUSERS = {
    "flux2-klein": {"diffusers", "ai-toolkit", "SimpleTuner comfyui", *KOHYA},
    "chroma": {"diffusers", "ComfyUI", *KOHYA},
    "z-image": {"diffusers", "ai-toolkit", *KOHYA},
    "qwen-image": {"diffusers", "ai-toolkit", "ComfyUI", "ComfyUI A B", "original", *KOHYA},
}
"""What diffusers' own loader reads, by base. It takes the alpha of SimpleTuner's ComfyUI files twice for Z-Image
and Qwen-Image, and that of PEFT's folders never."""


@cache
def files(base: str) -> dict[str, FamilyFile]:
    return family_files(base)


def read(base: str, file: FamilyFile) -> tuple[str, dict[str, Adapter]]:
    family = lora_family(base)
    return adapters_of(dict(file.weights), family, metadata=file.metadata, peft_config=file.peft_config)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("base", BASES)
def test_each_layout_is_the_original_lora(base: str, layout: str) -> None:
    words, adapters = read(base, files(base)[layout])
    lora = lora_of(base)
    assert adapters.keys() == lora.keys()
    for name, (down, up) in lora.items():
        torch.testing.assert_close(adapters[name].delta(), ALPHA / RANK * up @ down)
    assert words == WORDS[layout] or (base == "qwen-image" and layout == "original" and words == "PEFT")


@pytest.mark.parametrize("base", BASES)
def test_diffusers_own_loader_reads_these_of_them_to_the_same(base: str) -> None:
    """The reference besides ours; of the others it drops or misreads something, or knows no alpha."""
    lora, read_by_it = lora_of(base), set()
    for layout, file in files(base).items():
        try:
            weights = dict(getattr(diffusers, BASE_MODELS[base].pipeline).lora_state_dict(dict(file.weights)))
        except Exception:
            continue
        scale = ALPHA / RANK if file.metadata else 1
        keys = {name: f"transformer.{name}.lora_%s.weight" for name in lora}
        found = {
            name: scale * weights[key % "B"] @ weights[key % "A"] for name, key in keys.items() if key % "B" in weights
        }
        if found.keys() == lora.keys() and all(
            torch.allclose(found[name], ALPHA / RANK * up @ down, rtol=1e-4, atol=1e-4)
            for name, (down, up) in lora.items()
        ):
            read_by_it.add(layout)
    assert read_by_it == DIFFUSERS[base]


@pytest.mark.parametrize("base", BASES)
def test_what_the_converter_would_leave_out_is_refused(base: str) -> None:
    for layout, other in (("kohya of the original code", "lora_unet_single_blocks_0_other"), ("ComfyUI", "x.other")):
        prefix = "" if layout.startswith("kohya") else "diffusion_model."
        weights = files(base)[layout].weights | {
            f"{prefix}{other}.lora_down.weight": torch.ones(2, 3),
            f"{prefix}{other}.lora_up.weight": torch.ones(3, 2),
        }
        with pytest.raises(ValueError, match=r"diffusers' converter for .* cannot read it \(") as refused:
            read(base, FamilyFile(weights=weights, metadata={}))
        assert len(str(refused.value).splitlines()) == 1


def test_names_of_another_transformer_are_refused_in_diffusers_own_layout() -> None:
    with pytest.raises(ValueError, match=r"cannot be found in the transformer of FLUX\.2 \[klein\]"):
        layout_of([f"transformer.x.{part}.weight" for part in ("lora_A", "lora_B")], lora_family("flux2-klein"))


def test_every_base_has_its_family_and_diffusers_the_converter() -> None:
    for name, base in BASE_MODELS.items():
        family = lora_family(name)
        assert family.originals == (base.pipeline == "StableDiffusion3Pipeline") == (family.converter is None)
        assert family.converter in (None, base.pipeline)
        assert family.converter is None or name in ORIGINALS, "ORIGINALS, tests/importing/family_files.py"
    with pytest.raises(ValueError, match=r"base\.name = 'another' is not a supported base: choose one of mini"):
        lora_family("another")
