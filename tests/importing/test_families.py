"""A family for which diffusers has a converter: other layouts are read by it."""

from __future__ import annotations

import pytest
import torch

from anomend.diffusion.bases import BASE_MODELS
from anomend.importing.families import LoraFamily, lora_family
from anomend.importing.layouts import layout_of, read_adapters

NAMES = ["to_q", "to_k", "to_v", "to_out.0"]
FLUX2 = LoraFamily(
    title="FLUX.2 klein",
    projections=lambda: [f"transformer_blocks.0.attn.{name}" for name in NAMES],
    converter="Flux2KleinPipeline",
    originals=False,
)


def test_diffusers_converter_splits_q_k_and_v_of_ai_toolkits_file() -> None:
    down, up = torch.randn(2, 3), torch.randn(6, 2)
    key = "diffusion_model.double_blocks.0.img_attn.qkv"
    weights = {f"{key}.lora_A.weight": down, f"{key}.lora_B.weight": up}
    converted = FLUX2.in_diffusers_layout(weights)
    adapters = read_adapters(converted, layout_of(converted, FLUX2))
    assert set(adapters) == {f"transformer_blocks.0.attn.{name}" for name in NAMES[:3]}
    for index, name in enumerate(NAMES[:3]):
        expected = up[2 * index : 2 * index + 2] @ down
        torch.testing.assert_close(adapters[f"transformer_blocks.0.attn.{name}"].delta(), expected)


def test_what_diffusers_cannot_convert_is_refused_in_a_sentence() -> None:
    weights = {f"diffusion_model.other.{part}.weight": torch.ones(2, 2) for part in ("lora_A", "lora_B")}
    with pytest.raises(ValueError, match=r"diffusers' converter for FLUX\.2 klein cannot read it \(.*other"):
        FLUX2.in_diffusers_layout(weights)
    with pytest.raises(ValueError, match=r"cannot be found in the transformer of FLUX\.2 klein"):
        layout_of([f"transformer.x.{part}.weight" for part in ("lora_A", "lora_B")], FLUX2)


def test_every_base_has_its_family_and_diffusers_the_converter() -> None:
    for name, base in BASE_MODELS.items():
        family = lora_family(name)
        assert family.originals == (base.pipeline == "StableDiffusion3Pipeline") == (family.converter is None)
        assert family.converter in (None, base.pipeline)
    with pytest.raises(ValueError, match=r"base\.name = 'another' is not a supported base: choose one of mini"):
        lora_family("another")
