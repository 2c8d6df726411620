"""kohya's layout changes the original model's fused projections exactly as the LoRA changes diffusers' own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import SD3Transformer2DModel
from safetensors.torch import load_file

from stages.diffusion.lora import add_lora, save_lora
from stages.exports.kohya import export_kohya, from_kohya, read_adapters, to_kohya
from tests.conftest import ROOT

EVERYTHING = ["to_q", "to_k", "to_v", "to_out.0", "add_q_proj", "add_k_proj", "add_v_proj", "to_add_out"]
EVERYTHING += ["ff.net.0.proj", "ff.net.2", "ff_context.net.0.proj", "ff_context.net.2"]


def transformer() -> SD3Transformer2DModel:
    """Two blocks, the first with Stable Diffusion 3.5 Medium's second attention, the last without text outputs."""
    torch.manual_seed(3)
    return SD3Transformer2DModel(
        sample_size=4,
        in_channels=4,
        out_channels=4,
        num_layers=2,
        num_attention_heads=2,
        attention_head_dim=8,
        joint_attention_dim=16,
        caption_projection_dim=16,
        pooled_projection_dim=8,
        pos_embed_max_size=4,
        dual_attention_layers=(0,),
        qk_norm="rms_norm",
    )


def trained(folder: Path, modules: list[str], **options: Any) -> SD3Transformer2DModel:
    model = transformer()
    for parameter in add_lora(model, 3, 6, modules, **options):
        torch.nn.init.normal_(parameter.data, std=0.3)
    save_lora(model, folder)
    return model


def merged(model: SD3Transformer2DModel, block: int, module: str) -> torch.Tensor:
    """A projection's weight with its adapter added, by peft itself."""
    layer = model.transformer_blocks[block].get_submodule(module)
    if not hasattr(layer, "get_delta_weight"):
        return layer.weight.detach()
    return (layer.base_layer.weight + layer.get_delta_weight("default")).detach()


@pytest.mark.parametrize("options", [{}, {"use_rslora": True}], ids=["lora", "rslora"])
@pytest.mark.parametrize("modules", [EVERYTHING, ["to_q", "to_v", "add_k_proj"]], ids=["all", "some"])
def test_the_fused_weights_of_the_original_model_change_as_diffusers_do(
    tmp_path: Path, modules: list[str], options: dict[str, bool]
) -> None:
    model, plain = trained(tmp_path, modules, **options), transformer()
    tensors = to_kohya(read_adapters(tmp_path))
    for block, stream, names in (
        (0, "x_block_attn", ("attn.to_q", "attn.to_k", "attn.to_v")),
        (0, "x_block_attn2", ("attn2.to_q", "attn2.to_k", "attn2.to_v")),
        (1, "context_block_attn", ("attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj")),
    ):
        fused = torch.cat([plain.transformer_blocks[block].get_submodule(name).weight.detach() for name in names])
        key = f"lora_unet_joint_blocks_{block}_{stream}_qkv"
        down, up = tensors[f"{key}.lora_down.weight"], tensors[f"{key}.lora_up.weight"]
        changed = fused + tensors[f"{key}.alpha"] / len(down) * up @ down
        expected = torch.cat([merged(model, block, name) for name in names])
        assert (expected - fused).abs().max() > 0.1
        torch.testing.assert_close(changed, expected, atol=1e-5, rtol=1e-5)
    if modules is EVERYTHING:
        key = "lora_unet_joint_blocks_0_context_block_mlp_fc1"
        change = tensors[f"{key}.alpha"] / 3 * tensors[f"{key}.lora_up.weight"] @ tensors[f"{key}.lora_down.weight"]
        layer = model.transformer_blocks[0].ff_context.net[0].proj
        torch.testing.assert_close(change, layer.get_delta_weight("default").detach(), atol=1e-5, rtol=1e-5)
        assert "lora_unet_joint_blocks_1_context_block_attn_proj.alpha" not in tensors


def test_the_way_there_and_back_changes_no_projection(tmp_path: Path) -> None:
    trained(tmp_path, EVERYTHING)
    export_kohya(tmp_path, tmp_path / "kohya.safetensors")
    before, after = read_adapters(tmp_path), from_kohya(load_file(tmp_path / "kohya.safetensors"))
    assert set(before) == set(after)
    for key, adapter in before.items():
        torch.testing.assert_close(after[key].delta, adapter.delta, atol=1e-6, rtol=1e-5)


def test_what_the_layout_cannot_hold_is_refused(tmp_path: Path) -> None:
    trained(tmp_path / "dora", ["to_q"], use_dora=True)
    with pytest.raises(ValueError, match="is a DoRA"):
        read_adapters(tmp_path / "dora")
    trained(tmp_path / "norm", ["norm1.linear"])
    with pytest.raises(ValueError, match=r"norm1\.linear, which kohya's layout has no name for"):
        to_kohya(read_adapters(tmp_path / "norm"))
    with pytest.raises(ValueError, match=r"no key of kohya's layout"):
        from_kohya({"lora_unet_input_blocks_0.alpha": torch.ones(())})


def test_the_command_writes_a_file_or_one_sentence(tmp_path: Path) -> None:
    trained(tmp_path / "lora", ["to_q"])
    command = [sys.executable, "-m", "stages.export_lora", "--out", str(tmp_path / "out.safetensors"), "--lora"]
    done = subprocess.run([*command, str(tmp_path / "lora")], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "3 projections" in done.stdout
    assert len(load_file(tmp_path / "out.safetensors")) == 9
    done = subprocess.run([*command, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "run `dvc repro train`" in done.stderr and "Traceback" not in done.stderr
