"""kohya's layout changes the original model's weights exactly as peft changes diffusers'."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import StableDiffusion3Pipeline
from diffusers.loaders.single_file_utils import convert_sd3_transformer_checkpoint_to_diffusers
from safetensors.torch import load_file

from anomend.diffusion.lora import save_lora
from anomend.diffusion.lora_folder import WEIGHT_NAME
from anomend.exporting.adapters import Adapter, from_diffusers, to_diffusers
from anomend.exporting.kohya import from_kohya, to_kohya
from anomend.exporting.kohya_file import export_kohya, import_kohya
from tests.diffusion.tiny import predict
from tests.exporting.adapted import (
    ATTENTION,
    DIM,
    EVERYTHING,
    LAYERS,
    SD3,
    SD35_MEDIUM,
    adapted,
    diffusers_weights,
    peft_deltas,
    transformer_of,
)
from tests.exporting.original_checkpoint import applied, original_checkpoint

CASES = [
    (SD3, ATTENTION, {}),
    (SD3, EVERYTHING, {}),
    (SD3, ["to_k", "to_q", "to_v", "to_out.0"], {}),
    (SD35_MEDIUM, EVERYTHING, {}),
    (SD35_MEDIUM, ["to_v", "add_q_proj", "add_v_proj"], {}),
    (SD3, ATTENTION, {"use_rslora": True}),
    (SD35_MEDIUM, ATTENTION, {"rank_pattern": {"attn.to_k": 3}, "alpha_pattern": {"attn.to_k": 1, "to_add_out": 5}}),
]


@pytest.mark.parametrize(("config", "modules", "lora"), CASES)
def test_export_to_the_original_model_and_back(
    config: dict[str, Any], modules: list[str], lora: dict[str, Any], tmp_path: Path
) -> None:
    model = adapted(config, modules, **lora)
    expected = predict(model)
    plain = transformer_of(config)
    assert (predict(plain) - expected).abs().max() > 0.05
    save_lora(model, tmp_path / "lora")
    export_kohya(tmp_path / "lora", tmp_path / "comfyui.safetensors")
    exported = load_file(tmp_path / "comfyui.safetensors")

    # The original's weights with the exported change, read by diffusers' own converter, predict what peft predicts.
    checkpoint = applied(original_checkpoint(plain), exported)
    converted = transformer_of(config)
    converted.load_state_dict(convert_sd3_transformer_checkpoint_to_diffusers(checkpoint))
    torch.testing.assert_close(predict(converted), expected, atol=1e-4, rtol=1e-4)

    # And back: the same change of every module, and the same prediction through diffusers' loader.
    deltas = {name: adapter.delta() for name, adapter in from_kohya(exported).items()}
    truth = peft_deltas(model)
    assert deltas.keys() == truth.keys()
    for name, delta in truth.items():
        torch.testing.assert_close(deltas[name], delta, atol=1e-6, rtol=1e-5)
    import_kohya(tmp_path / "comfyui.safetensors", tmp_path / "back")
    parts = dict.fromkeys(("scheduler", "vae", "text_encoder", "tokenizer", "text_encoder_2", "tokenizer_2"))
    parts |= dict.fromkeys(("text_encoder_3", "tokenizer_3"))
    pipeline = StableDiffusion3Pipeline(transformer=plain, **parts)
    pipeline.load_lora_weights(tmp_path / "back", weight_name=WEIGHT_NAME)
    torch.testing.assert_close(predict(pipeline.transformer), expected, atol=1e-4, rtol=1e-4)


def test_a_fused_qkv_by_hand() -> None:
    model = adapted(SD35_MEDIUM, ATTENTION, rank=2, alpha=6)
    layer = model.transformer_blocks[1].attn2
    exported = to_kohya(from_diffusers(diffusers_weights(model), {"transformer.lora_alpha": 6}))
    key = "lora_unet_joint_blocks_1_x_block_attn2_qkv"
    down, up, alpha = (exported[f"{key}.{part}"] for part in ("lora_down.weight", "lora_up.weight", "alpha"))
    assert down.shape == (6, DIM) and up.shape == (3 * DIM, 6) and alpha.item() == 18
    parts = (layer.to_q, layer.to_k, layer.to_v)
    stacked = torch.cat([part.base_layer.weight for part in parts]) + alpha / 6 * up @ down
    for index, part in enumerate(parts):
        by_peft = part.base_layer.weight + 3.0 * part.lora_B["default"].weight @ part.lora_A["default"].weight
        torch.testing.assert_close(stacked[index * DIM : (index + 1) * DIM], by_peft)


def test_only_what_has_an_adapter_changes() -> None:
    """Only k: rank 1, and the rows of q and v stay as they are."""
    down, up = torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0], [4.0]])
    exported = to_kohya({"transformer_blocks.7.attn.add_k_proj": Adapter(down, up, 0.5)})
    key = "lora_unet_joint_blocks_7_context_block_attn_qkv"
    assert exported.keys() == {f"{key}.lora_down.weight", f"{key}.lora_up.weight", f"{key}.alpha"}
    assert exported[f"{key}.lora_up.weight"].tolist() == [[0], [0], [3], [4], [0], [0]]
    assert exported[f"{key}.lora_down.weight"].tolist() == [[1, 2]] and exported[f"{key}.alpha"].item() == 0.5
    assert from_kohya(exported).keys() == {"transformer_blocks.7.attn.add_k_proj"}


def test_the_last_block_has_no_context_output() -> None:
    """Its modules are those of a pre-only context: q, k, v and a modulation of two parts."""
    exported = to_kohya(from_diffusers(diffusers_weights(adapted(SD3, EVERYTHING))))
    last = {key.split(".")[0] for key in exported if f"joint_blocks_{LAYERS - 1}_context_block" in key}
    assert {key.split("context_block_")[1] for key in last} == {"attn_qkv", "adaLN_modulation_1"}


def test_a_file_trained_fused_is_imported_too() -> None:
    """Not block-diagonal, as sd-scripts trains it: q, k and v each get all of its ranks."""
    key = "lora_unet_joint_blocks_0_x_block_attn_qkv"
    down, up = torch.randn(4, 8), torch.randn(24, 4)
    file = {f"{key}.lora_down.weight": down, f"{key}.lora_up.weight": up, f"{key}.alpha": torch.tensor(2.0)}
    deltas = [adapter.delta() for adapter in from_kohya(file).values()]
    torch.testing.assert_close(torch.cat(deltas), 0.5 * up @ down)


def test_without_metadata_alpha_is_the_rank_both_ways() -> None:
    weights = diffusers_weights(adapted(SD3, ["to_out.0"]))
    adapters = from_diffusers(weights)
    assert {adapter.scale for adapter in adapters.values()} == {1.0}
    assert all(torch.equal(value, weights[key]) for key, value in to_diffusers(adapters).items())


def test_the_keys_are_those_of_sd_scripts() -> None:
    """As `networks/lora_sd3.py` names them: the prefix, and the path of each module of its `SingleDiTBlock`s."""
    exported = to_kohya(from_diffusers(diffusers_weights(adapted(SD35_MEDIUM, EVERYTHING))))
    names = {key.split(".")[0] for key in exported}
    both = {"attn_qkv", "attn_proj", "mlp_fc1", "mlp_fc2", "adaLN_modulation_1"}
    expected = {f"lora_unet_joint_blocks_0_{stream}_block_{name}" for stream in ("x", "context") for name in both}
    expected |= {f"lora_unet_joint_blocks_0_x_block_attn2_{name}" for name in ("qkv", "proj")}
    assert {name for name in names if "joint_blocks_0_" in name} == expected
    assert {name for name in names if "joint_blocks" not in name} == {
        "lora_unet_context_embedder", "lora_unet_t_embedder_mlp_0", "lora_unet_t_embedder_mlp_2",
        "lora_unet_y_embedder_mlp_0", "lora_unet_y_embedder_mlp_2", "lora_unet_final_layer_linear",
        "lora_unet_final_layer_adaLN_modulation_1",
    }  # fmt: skip


def test_the_last_blocks_modulation_is_swapped_and_the_others_is_not() -> None:
    """The original chunks it into shift and scale, diffusers' AdaLayerNormContinuous into scale and shift."""
    down, up = torch.ones(1, 2), torch.tensor([[1.0], [1.0], [2.0], [2.0]])
    exported = to_kohya({"transformer_blocks.23.norm1_context.linear": Adapter(down, up, 1.0)})
    key = "lora_unet_joint_blocks_23_context_block_adaLN_modulation_1.lora_up.weight"
    assert exported[key].flatten().tolist() == [2, 2, 1, 1]
    six = torch.arange(12.0)[:, None]
    exported = to_kohya({"transformer_blocks.0.norm1_context.linear": Adapter(down, six, 1.0)})
    assert torch.equal(exported[key.replace("_23_", "_0_")], six)


def test_a_file_without_alpha_has_scale_1_as_in_comfyui() -> None:
    key = "lora_unet_joint_blocks_0_x_block_mlp_fc1"
    adapters = from_kohya({f"{key}.lora_down.weight": torch.ones(4, 8), f"{key}.lora_up.weight": torch.ones(8, 4)})
    assert adapters["transformer_blocks.0.ff.net.0.proj"].scale == 1.0
