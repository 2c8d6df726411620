"""The file in kohya's layout: one for one LoRA, says what it is, and refuses what it cannot hold."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from anomend.diffusion.bases import BASE_MODELS
from anomend.diffusion.lora import save_lora
from anomend.exporting.adapters import Adapter, from_diffusers, read_diffusers
from anomend.exporting.kohya import from_kohya, to_kohya
from anomend.exporting.kohya_file import ARCHITECTURES, Origin, export_kohya, import_kohya, refuse_other_family
from tests.exporting.adapted import ATTENTION, SD3, adapted, diffusers_weights


def test_two_exports_are_one_file(tmp_path: Path) -> None:
    save_lora(adapted(SD3, ATTENTION), tmp_path)
    first, second = (export_kohya(tmp_path, tmp_path / f"{name}.safetensors") for name in "ab")
    assert first == second and (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


@pytest.mark.filterwarnings("ignore:Adapter 'default'")
def test_what_the_layout_cannot_carry_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="is missing: run `dvc repro train`"):
        export_kohya(tmp_path, tmp_path / "out.safetensors")
    save_lora(adapted(SD3, ATTENTION, use_dora=True), tmp_path)
    with pytest.raises(ValueError, match=r"trained with DoRA.*train\.use_dora=false"):
        export_kohya(tmp_path, tmp_path / "out.safetensors")
    weights = diffusers_weights(adapted(SD3, ["to_q", "pos_embed.proj"]))
    with pytest.raises(ValueError, match=r"pos_embed\.proj.* is not a LoRA on a linear layer"):
        from_diffusers(weights)
    save_lora(adapted(SD3, ["to_q"], lora_bias=True), tmp_path)
    with pytest.raises(ValueError, match=r"lora_B\.bias is not a LoRA"):
        export_kohya(tmp_path, tmp_path / "out.safetensors")
    unknown = Adapter(torch.ones(1, 2), torch.ones(2, 1), 1.0)
    with pytest.raises(ValueError, match=r"transformer_blocks\.0\.attn\.to_x has an adapter"):
        to_kohya({"transformer_blocks.0.attn.to_x": unknown})
    assert not (tmp_path / "out.safetensors").exists()


def test_a_foreign_file_is_refused(tmp_path: Path) -> None:
    down, up = torch.ones(1, 2), torch.ones(2, 1)
    key = "lora_unet_double_blocks_0_img_attn_qkv"
    save_file({f"{key}.lora_down.weight": down, f"{key}.lora_up.weight": up}, tmp_path / "flux.safetensors")
    with pytest.raises(ValueError, match="is not a module of Stable Diffusion 3's transformer"):
        import_kohya(tmp_path / "flux.safetensors", tmp_path / "lora")
    (tmp_path / "text.safetensors").write_text("no tensors")
    for name in ("text", "nowhere"):
        with pytest.raises(ValueError, match=rf"{name}\.safetensors cannot be read"):
            import_kohya(tmp_path / f"{name}.safetensors", tmp_path / "lora")
    with pytest.raises(ValueError, match="lacks its lora_up"):
        from_kohya({"lora_unet_joint_blocks_0_x_block_mlp_fc1.lora_down.weight": down})
    with pytest.raises(ValueError, match="DoRA"):
        from_kohya({"lora_unet_joint_blocks_0_x_block_mlp_fc1.dora_scale": down})
    assert not (tmp_path / "lora").exists()


def test_alpha_is_read_from_what_save_lora_writes(tmp_path: Path) -> None:
    save_lora(adapted(SD3, ["to_out.0"], rank=4, alpha=2), tmp_path)
    export_kohya(tmp_path, tmp_path / "out.safetensors")
    alphas = {value.item() for key, value in load_file(tmp_path / "out.safetensors").items() if key.endswith("alpha")}
    assert alphas == {2.0}
    assert metadata_of(tmp_path / "out.safetensors").keys() == {"diffusers_lora_sha256"}


def metadata_of(file: Path) -> dict[str, str]:
    """As any reader of the format finds it."""
    content = file.read_bytes()
    return json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])["__metadata__"]


def test_the_file_says_what_it_is_by_modelspec(tmp_path: Path) -> None:
    sha256 = save_lora(adapted(SD3, ATTENTION), tmp_path)
    file = tmp_path / "out.safetensors"
    origin = Origin(
        base="sd3.5-medium",
        licence="Stability AI Community License",
        resolution=1024,
        prompts=("lying on the grass", "a: 'b'"),
    )
    export_kohya(tmp_path, file, origin)
    metadata = metadata_of(file)
    assert list(metadata) == sorted(metadata) and metadata["diffusers_lora_sha256"] == sha256
    required = {"sai_model_spec", "architecture", "implementation", "title"}
    assert {f"modelspec.{name}" for name in required} <= metadata.keys()
    assert metadata["modelspec.architecture"] == "stable-diffusion-3-5-medium/lora"
    assert metadata["modelspec.resolution"] == "1024x1024" and "a: 'b'" in metadata["modelspec.usage_hint"]
    content = file.read_bytes()
    tensors = content[8 + int.from_bytes(content[:8], "little") :]
    assert metadata["modelspec.hash_sha256"] == f"0x{hashlib.sha256(tensors).hexdigest()}"
    assert load_file(file).keys() == to_kohya(read_diffusers(tmp_path)).keys()


def test_every_stable_diffusion_3_on_the_hub_has_its_architecture_and_the_miniature_is_no_sd3() -> None:
    assert {
        name for name, base in BASE_MODELS.items() if base.on_hub and base.pipeline == "StableDiffusion3Pipeline"
    } <= ARCHITECTURES.keys()
    mini = Origin(base="mini", licence="MIT", resolution=64, prompts=("x",))
    assert mini.metadata()["modelspec.architecture"] == "anomend-mini/lora"


@pytest.mark.parametrize("base", ["flux2-klein", "z-image", "qwen-image"])
def test_other_families_are_refused_though_their_projections_may_have_the_same_names(base: str, tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=rf"written for Stable Diffusion 3 alone, and the base is {base}: use diffusers'"
    ):
        export_kohya(tmp_path, tmp_path / "x.safetensors", Origin(base=base, licence="x", resolution=1, prompts=("x",)))
    refuse_other_family("sd3.5-large")
    refuse_other_family("mini")
