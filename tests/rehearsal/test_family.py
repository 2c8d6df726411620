"""Families at their true shapes: the sizes that their makers publish, what the documentation quotes, and one step."""

from __future__ import annotations

import math

import pytest
import torch

from studies.rehearsal.family import SHAPES, components, one_step, plan, profile
from tests.conftest import ROOT
from tests.families.tiny_bases import BASES

PUBLISHED = {"flux2-klein": (4, 4), "z-image": (6, 4), "qwen-image": (20, 8), "chroma": (9, 5)}
"""Billions of parameters of transformer and text encoder: FLUX.2 [klein] 4B, Z-Image 6B, Qwen-Image 20B, Chroma 8.9B;
Qwen3-4B, Qwen2.5-VL-7B, whose 8.3 include what it sees with, and the encoder of T5-XXL."""


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_family_has_the_published_size_and_its_row_in_the_documentation(name: str) -> None:
    parts = components(SHAPES / f"{name}.yaml")
    assert all(value.device.type == "meta" for part in parts.values() for value in part.parameters())
    found = plan(profile(name), parts)
    counts, gigabytes = found["parameters"], found["gigabytes"]
    assert (round(counts["transformer"] / 1e9), round(counts["text_encoder"] / 1e9)) == PUBLISHED[name]
    lines = (ROOT / "docs" / "costs.md").read_text().splitlines()
    assert any(line.startswith(f"| `{name}` | {counts['transformer'] / 1e9:.2f} billion |") for line in lines)
    row = [
        f"{counts['text_encoder'] / 1e9:.2f}",
        *(f"{gigabytes[stage]:.2f}" for stage in ("encode", "train", "sample")),
    ]
    assert f"| `{name}` | {' | '.join(row)} |" in lines
    # By hand, where nothing is in fewer bits: two bytes a parameter, six copies of the LoRA in four, the VAE in four.
    if name != "qwen-image":
        weights = 2 * counts["transformer"]
        assert gigabytes["train"] == round((weights + 6 * 4 * counts["lora"]) / 1e9, 2)
        assert gigabytes["sample"] == round((weights + 4 * counts["lora"] + 4 * counts["vae"]) / 1e9, 2)


@pytest.mark.parametrize("name", ["flux2-klein", "z-image", "chroma"])
def test_a_step_with_random_weights_is_made_and_measured(name: str) -> None:
    with torch.device("meta"):
        transformer = BASES[name].make().transformer.to(torch.bfloat16)
    params = profile(name)
    params = params.model_copy(update={"train": params.train.model_copy(update={"target_modules": ["to_q", "to_k"]})})
    found = one_step(params, transformer, channels=4)
    assert math.isfinite(found["loss"]) and found["loss"] > 0 and found["peak_memory_bytes"] > 1e8
