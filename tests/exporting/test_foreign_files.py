"""LoRA files of other programs, made up from all that they differ in: read right, or refused in one sentence."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from anomend.diffusion.lora_folder import WEIGHT_NAME
from anomend.exporting.adapters import read_diffusers
from anomend.exporting.kohya_file import export_kohya, import_kohya

RIGHT_PREFIX = "lora_unet_"
MODULES = {
    "joint_blocks_0_x_block_attn_qkv": [f"transformer_blocks.0.attn.to_{part}" for part in "qkv"],
    "joint_blocks_11_context_block_mlp_fc2": ["transformer_blocks.11.ff_context.net.2"],
    "joint_blocks_2_x_block_adaLN_modulation_1": ["transformer_blocks.2.norm1.linear"],
}
"""kohya's name, and diffusers' of its parts."""
AXES: dict[str, list[Any]] = {
    "prefix": [RIGHT_PREFIX, "lora_transformer_", "transformer.", "diffusion_model.", "base_model.model.", "unet.", ""],
    "module": [*MODULES, "double_blocks_0_img_attn_qkv"],
    "dtype": [
        torch.float32,
        torch.float16,
        torch.bfloat16,
        torch.float64,
        torch.float8_e4m3fn,
        torch.float8_e5m2,
        torch.int8,
    ],
    "rank": [2, 1, 5, 0],
    "alpha": [
        "absent",
        torch.tensor(2.0),
        torch.tensor(0.3),
        torch.tensor(0.0),
        torch.tensor(-1.5),
        torch.tensor(7),
        torch.tensor([3.0], dtype=torch.float16),
        torch.tensor(float("nan")),
        torch.tensor(float("inf")),
        torch.tensor([1.0, 2.0]),
    ],
    "oddity": [
        "none", "text encoders", "no up", "other rank", "convolution", "vector", "NaN", "infinite", "DoRA", "LoKr",
        "zeros", "odd outputs", "twice",
    ],
}  # fmt: skip
REFUSED: dict[str, Callable[[Any], bool]] = {
    "prefix": lambda prefix: prefix != RIGHT_PREFIX,
    "module": lambda module: module not in MODULES,
    "dtype": lambda dtype: dtype == torch.int8,
    "rank": lambda rank: rank == 0,
    # With an alpha of 0 the one adapter of the file changes nothing, as with zeros.
    "alpha": lambda alpha: (
        alpha != "absent" and (alpha.numel() > 1 or not bool(torch.isfinite(alpha).all()) or not bool(alpha.any()))
    ),
    "oddity": lambda oddity: oddity not in ("none", "text encoders", "odd outputs"),
}
FIXES = (
    "get it again",
    "name a",
    "leave it out",
    "check the file",
    "get the LoRA in",
    "train with",
    "needs no conversion",
)


def made_file(file: Path, case: dict[str, Any]) -> dict[str, torch.Tensor]:
    """Write the file of a case."""
    generator = torch.Generator().manual_seed(7)
    rank, oddity = case["rank"], case["oddity"]
    outputs = 7 if oddity == "odd outputs" else 6
    down, up = torch.randn(rank, 4, generator=generator), torch.randn(outputs, rank, generator=generator)
    if oddity == "other rank":
        up = torch.randn(outputs, rank + 1, generator=generator)
    if oddity == "convolution":
        down = down[:, :, None, None].expand(-1, -1, 3, 3)
    if oddity == "vector":
        down = down.flatten()
    if oddity in ("NaN", "infinite") and up.numel():
        up[0, 0] = float(oddity.replace("infinite", "inf"))
    if oddity == "zeros":
        up = torch.zeros_like(up)
    key = case["prefix"] + case["module"]
    tensors = {f"{key}.lora_down.weight": down, f"{key}.lora_up.weight": up}
    if oddity == "no up":
        del tensors[f"{key}.lora_up.weight"]
    if oddity == "twice":
        tensors[f"{key}.lora_up"] = up + 1
    if oddity == "DoRA":
        tensors[f"{key}.dora_scale"] = torch.ones(outputs, 1)
    if oddity == "LoKr":
        tensors = {f"{key}.lokr_w1": up, f"{key}.lokr_w2": down}
    if oddity == "text encoders":
        for encoder in ("lora_te1_text_model_encoder", "lora_te2_text_model_encoder", "lora_te3_encoder_block_0"):
            tensors |= {f"{encoder}.lora_down.weight": down, f"{encoder}.lora_up.weight": up}
    tensors = {name: value.to(case["dtype"]).clone() for name, value in tensors.items()}
    if case["alpha"] != "absent":
        tensors[f"{key}.alpha"] = case["alpha"]
    save_file(tensors, file)
    return tensors


def is_refused(case: dict[str, Any]) -> bool:
    fused = case["module"].endswith("qkv")
    return (
        any(refused(case[axis]) for axis, refused in REFUSED.items())
        or (fused and case["oddity"] == "odd outputs")
    )  # fmt: skip


def cases() -> list[dict[str, Any]]:
    """Every value of every axis alone, every pair of values of dtype and alpha, and 500 mixtures."""
    usual = {axis: values[0] for axis, values in AXES.items()}
    alone = [usual | {axis: value} for axis, values in AXES.items() for value in values]
    pairs = [
        usual | {"dtype": dtype, "alpha": alpha, "module": module}
        for dtype, alpha, module in itertools.product(AXES["dtype"], AXES["alpha"], MODULES)
    ]
    draw = random.Random(20)
    # The usual value more often than not: with one fault in each of six axes, nearly every file would be refused.
    mixed = [
        {axis: values[0] if draw.random() < 0.5 else draw.choice(values) for axis, values in AXES.items()}
        for _ in range(500)
    ]
    return alone + pairs + mixed


def test_every_file_of_another_program_is_read_right_or_refused_in_one_sentence(tmp_path: Path) -> None:
    read = refused = 0
    for number, case in enumerate(cases()):
        file, folder = tmp_path / f"{number}.safetensors", tmp_path / str(number)
        tensors = made_file(file, case)
        if is_refused(case):
            with pytest.raises(ValueError) as refusal:
                import_kohya(file, folder)
            said = str(refusal.value)
            assert said.startswith(str(file)) and len(said.splitlines()) == 1, case
            assert any(fix in said for fix in FIXES), (case, said)
            assert not folder.exists(), case
            refused += 1
            continue
        assert import_kohya(file, folder) == len(MODULES[case["module"]]), case
        key = RIGHT_PREFIX + case["module"]
        down, up = (tensors[f"{key}.lora_{part}.weight"].double() for part in ("down", "up"))
        scale = float(tensors[f"{key}.alpha"]) / case["rank"] if f"{key}.alpha" in tensors else 1.0
        written = load_file(folder / WEIGHT_NAME)
        deltas = [
            written[f"transformer.{name}.lora_B.weight"].double()
            @ written[f"transformer.{name}.lora_A.weight"].double()
            for name in MODULES[case["module"]]
        ]
        torch.testing.assert_close(torch.cat(deltas), scale * up @ down, atol=1e-5, rtol=1e-5, msg=str(case))
        read += 1
    assert read > 150 and refused > 150 and read + refused >= 500


def test_tensors_for_text_encoders_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    usual = {axis: values[0] for axis, values in AXES.items()}
    made_file(tmp_path / "a.safetensors", usual | {"oddity": "text encoders"})
    import_kohya(tmp_path / "a.safetensors", tmp_path / "lora")
    assert "6 of 8 tensors are for text encoders" in capsys.readouterr().err
    weights = load_file(tmp_path / "lora" / WEIGHT_NAME)
    save_file(weights | {"text_encoder.a.lora_A.weight": torch.ones(1, 2)}, tmp_path / "lora" / WEIGHT_NAME)
    export_kohya(tmp_path / "lora", tmp_path / "b.safetensors")
    assert "1 of 7 tensors are for text encoders" in capsys.readouterr().err
    assert len(load_file(tmp_path / "b.safetensors")) == 3


@pytest.mark.parametrize("key", ["text_model.a", "cond_stage_model.a", "conditioner.a", "lora_clip_l_a", "lora_t5_a"])
def test_other_programs_names_of_text_encoders_do_not_stop_the_import(tmp_path: Path, key: str) -> None:
    usual = {axis: values[0] for axis, values in AXES.items()}
    weights = made_file(tmp_path / "a.safetensors", usual)
    save_file(weights | {f"{key}.lora_down.weight": torch.ones(1, 2)}, tmp_path / "a.safetensors")
    assert import_kohya(tmp_path / "a.safetensors", tmp_path / "lora") == 3


def test_4_bit_floats_are_refused_with_the_file(tmp_path: Path) -> None:
    values = torch.zeros(2, 4, dtype=torch.uint8).view(torch.float4_e2m1fn_x2)
    save_file({"lora_unet_joint_blocks_0_x_block_attn_proj.lora_down.weight": values}, tmp_path / "a.safetensors")
    with pytest.raises(
        ValueError, match=r"a\.safetensors: .*lora_down\.weight is quantised \(.*\): get the LoRA in flo"
    ):
        import_kohya(tmp_path / "a.safetensors", tmp_path / "lora")
    assert not (tmp_path / "lora").exists()


def test_a_file_with_nothing_for_the_transformer_is_refused(tmp_path: Path) -> None:
    save_file({}, tmp_path / "empty.safetensors")
    save_file({"lora_te1_x.lora_down.weight": torch.ones(1, 2)}, tmp_path / "text.safetensors")
    (tmp_path / "short.safetensors").write_bytes(b"")
    for name, sentence in (
        ("empty", "has no tensors"),
        ("text", "has only tensors for text"),
        ("short", "cannot be read"),
    ):
        with pytest.raises(ValueError, match=rf"{name}\.safetensors {sentence}.*: name a"):
            import_kohya(tmp_path / f"{name}.safetensors", tmp_path / "lora")
    assert not (tmp_path / "lora").exists()


@pytest.mark.parametrize(
    ("metadata", "sentence"),
    [
        ("{", "lora_adapter_metadata is damaged"),
        ("[1]", "lora_adapter_metadata is damaged"),
        ('{"transformer.lora_alpha": NaN}', "the alpha of transformer_blocks.0.ff.net.2 is nan"),
        ('{"transformer.lora_alpha": "4"}', "lora_adapter_metadata is damaged"),
        ('{"transformer.alpha_pattern": {"(": 4}}', "lora_adapter_metadata is damaged"),
    ],
)
def test_damaged_metadata_of_a_lora_are_named_with_the_file(tmp_path: Path, metadata: str, sentence: str) -> None:
    weights = {f"transformer.transformer_blocks.0.ff.net.2.lora_{part}.weight": torch.ones(2, 2) for part in "AB"}
    save_file(weights, tmp_path / WEIGHT_NAME, {"lora_adapter_metadata": metadata})
    with pytest.raises(ValueError) as refused:
        read_diffusers(tmp_path)
    assert str(refused.value).startswith(str(tmp_path / WEIGHT_NAME)) and sentence in str(refused.value)


def test_a_lora_that_is_not_finite_is_neither_imported_nor_exported(tmp_path: Path) -> None:
    weights = {f"transformer.transformer_blocks.0.ff.net.2.lora_{part}.weight": torch.ones(2, 2) for part in "AB"}
    weights["transformer.transformer_blocks.0.ff.net.2.lora_B.weight"][0, 0] = float("nan")
    save_file(weights, tmp_path / WEIGHT_NAME)
    with pytest.raises(ValueError, match=r"ff\.net\.2\.lora_B\.weight is not finite .* 1 of 4 .*: the file is damaged"):
        export_kohya(tmp_path, tmp_path / "out.safetensors")
    assert not (tmp_path / "out.safetensors").exists()
