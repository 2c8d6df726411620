"""A LoRA of the miniature in the layout of each program draws the original's images; other things are refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from peft.utils import get_peft_model_state_dict
from safetensors.torch import load_file, save_file

from anomend.diffusion.lora import add_lora, load_lora, save_lora
from anomend.diffusion.lora_folder import WEIGHT_NAME
from anomend.diffusion.lora_origin import read_origin
from anomend.diffusion.sampling import load_sampler, sample_images, sampling_options
from anomend.importing.external_lora import take_external
from anomend.params.external import ExternalLoraParams
from anomend.project.files import sha256_of
from tests.conftest import ROOT
from tests.importing.layout_files import write_layouts
from tests.parameters import params_of, user_params

pytestmark = pytest.mark.slow

RANK, ALPHA = 4, 6.0
MODULES = [
    *("to_q", "to_k", "to_v", "to_out.0", "add_q_proj", "add_k_proj", "add_v_proj", "to_add_out"),
    *("ff.net.0.proj", "ff.net.2", "norm1.linear", "norm1_context.linear", "norm_out.linear", "context_embedder"),
]
LAYOUTS = {
    "diffusers": "diffusers",
    "ai-toolkit": "diffusers",
    "SimpleTuner": "diffusers",
    "SimpleTuner comfyui": "ComfyUI",
    "OneTrainer diffusers": "diffusers",
    "OneTrainer legacy": "OneTrainer",
    "OneTrainer original": "the original code",
    "ComfyUI": "ComfyUI",
    "ComfyUI down up": "ComfyUI",
    "kohya": "kohya",
    "LyCORIS": "LyCORIS",
    "PEFT": "PEFT",
}


def params() -> Any:
    user = user_params()
    user["base"]["local_folder"] = str(ROOT / "models" / "mini")
    user["sample"]["steps"] = 2
    return params_of(user)


class Court:
    """The miniature, a LoRA on it whose every weight is far from 0, and its file in each layout."""

    def __init__(self, folder: Path) -> None:
        self.params, self.folder = params(), folder
        self.pipeline, self.texts = load_sampler(self.params.base, self.params.prompts.target)
        torch.manual_seed(5)
        transformer = self.pipeline.transformer
        add_lora(transformer, rank=RANK, alpha=ALPHA, target_modules=MODULES)
        for name, parameter in transformer.named_parameters():
            if "lora_" in name:
                torch.nn.init.normal_(parameter.data, std=0.05)
        weights = get_peft_model_state_dict(transformer)
        modules = sorted({key.rpartition(".lora_")[0] for key in weights})
        lora = {
            name: (weights[f"{name}.lora_A.weight"].detach(), weights[f"{name}.lora_B.weight"].detach())
            for name in modules
        }
        self.files = write_layouts(lora, rank=RANK, alpha=ALPHA, folder=folder)
        self.modules = len(lora)
        save_lora(transformer, folder / "own")
        transformer.delete_adapters("default")
        self.base = self.images(None)
        self.own = self.images(folder / "own")

    def images(self, lora: Path | None) -> np.ndarray[Any, Any]:
        if lora is not None:
            load_lora(self.pipeline, lora)
        images = self.drawn()
        if lora is not None:
            self.pipeline.unload_lora_weights()
        return images

    def drawn(self) -> np.ndarray[Any, Any]:
        """What the pipeline draws as it is, in two steps with guidance."""
        options = sampling_options(self.params.base, self.params.sample)
        requests = [(prompt, seed) for seed, prompt in enumerate(self.params.prompts.target)]
        images = list(sample_images(self.pipeline, requests, **options, description="", texts=self.texts))
        return np.stack(images).astype(int)


@pytest.fixture(scope="module")
def court(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Court]:
    yield Court(tmp_path_factory.mktemp("layouts"))


def external(path: Path) -> ExternalLoraParams:
    return ExternalLoraParams(file=str(path), author="Ann", source="https://example.org/ann")


def test_the_lora_of_this_test_changes_the_images(court: Court) -> None:
    assert np.abs(court.own - court.base).max() > 20


@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_layout_draws_the_images_of_the_original(court: Court, layout: str, tmp_path: Path) -> None:
    origin = take_external(external(court.files[layout]), "train.external", court.params, tmp_path / "lora")
    assert np.abs(court.images(tmp_path / "lora") - court.own).max() <= 1
    assert (origin.layout, origin.modules) == (LAYOUTS[layout], court.modules)
    weights = court.files[layout] / "adapter_model.safetensors" if layout == "PEFT" else court.files[layout]
    assert origin.file_sha256 == sha256_of(weights) and read_origin(tmp_path / "lora") == origin
    # Programs that fold alpha into the second matrix leave a scale of 1.
    expected = 1.0 if layout in ("ai-toolkit", "OneTrainer diffusers") else ALPHA / RANK
    assert (origin.scale_min, origin.scale_max) == pytest.approx((expected, expected))
    assert (origin.rank_min, origin.rank_max) == (RANK, RANK)
    assert "Ann" in (tmp_path / "lora" / "README.md").read_text()


def test_diffusers_own_loader_reads_its_own_layout_to_the_same_images(court: Court) -> None:
    """The reference besides ours: the only layout of this family that diffusers has a reader for."""
    for layout in ("diffusers", "ai-toolkit", "OneTrainer diffusers"):
        file = court.files[layout]
        court.pipeline.load_lora_weights(file.parent, weight_name=file.name)
        images = court.drawn()
        court.pipeline.unload_lora_weights()
        assert np.abs(images - court.own).max() <= 1


def changed(court: Court, layout: str, path: Path, change: Any) -> ExternalLoraParams:
    """A file of a layout with other tensors."""
    tensors = load_file(court.files[layout])
    change(tensors)
    save_file(tensors, path)
    return external(path)


ONE = torch.ones(2, 3)
REFUSED = {
    "a text encoder": (
        lambda t: t.update({"lora_te1_text_model_encoder_layers_0_mlp_fc1.lora_down.weight": ONE}),
        r"lora_te1_text_model_encoder_layers_0_mlp_fc1\.lora_down\.weight is for a text encoder",
    ),
    "DoRA": (
        lambda t: t.update({"lora_unet_joint_blocks_0_x_block_mlp_fc1.dora_scale": ONE}),
        r"lora_unet_joint_blocks_0_x_block_mlp_fc1\.dora_scale is of another kind than a plain LoRA \(DoRA\)",
    ),
    "LoKr": (
        lambda t: t.update({f"lora_unet_x.lokr_w{i}": ONE.clone() for i in range(1, 5)}),
        r"lora_unet_x\.lokr_w1, lora_unet_x\.lokr_w2 and 2 more are of another kind .*\(LoKr\)",
    ),
    "LoHa": (lambda t: t.update({"lora_unet_x.hada_w1_a": ONE}), r"lora_unet_x\.hada_w1_a is of another .*\(LoHa\)"),
    "whole weights": (lambda t: t.update({"lora_unet_x.diff": ONE}), r"lora_unet_x\.diff is of .*whole weights"),
    "embeddings": (lambda t: t.update({"bundle_emb.a.clip_l": ONE}), r"bundle_emb\.a\.clip_l .*embeddings"),
    "two layouts": (
        lambda t: t.update({"transformer.proj_out.lora_A.weight": ONE}),
        r"lora_unet_\S+ and transformer\.proj_out\.lora_A\.weight are of two layouts",
    ),
    "another model": (
        lambda t: t.update({"lora_unet_double_blocks_0_img_attn_qkv.lora_down.weight": ONE}),
        r"double_blocks_0_img_attn_qkv cannot be found in the transformer",
    ),
    "no such block": (
        lambda t: t.update(
            {f"lora_unet_joint_blocks_40_x_block_mlp_fc1.lora_{end}.weight": torch.ones(2, 2) for end in ("up", "down")}
        ),
        r"base mini has no layer transformer_blocks\.40\.ff\.net\.0\.proj",
    ),
    "another width": (
        lambda t: t.update({"lora_unet_joint_blocks_0_x_block_mlp_fc1.lora_down.weight": torch.ones(4, 7)}),
        r"transformer_blocks\.0\.ff\.net\.0\.proj is for 7 inputs",
    ),
    "not finite": (
        lambda t: t["lora_unet_joint_blocks_0_x_block_mlp_fc1.lora_up.weight"].fill_(float("nan")),
        r"lora_unet_joint_blocks_0_x_block_mlp_fc1\.lora_up\.weight is not finite",
    ),
    "a missing half": (
        lambda t: t.pop("lora_unet_joint_blocks_0_x_block_mlp_fc1.lora_up.weight"),
        r"joint_blocks_0_x_block_mlp_fc1 lacks its lora_up",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_a_plain_lora_of_this_base_is_refused_by_its_keys(court: Court, case: str, tmp_path: Path) -> None:
    change, sentence = REFUSED[case]
    settings = changed(court, "kohya", tmp_path / "a.safetensors", change)
    with pytest.raises(ValueError, match=sentence) as refused:
        take_external(settings, "train.external", court.params, tmp_path / "lora")
    assert str(refused.value).startswith("train.external.file: ") and len(str(refused.value).splitlines()) == 1
    assert not (tmp_path / "lora" / WEIGHT_NAME).exists()


def test_without_alpha_the_scale_is_1_where_its_program_takes_it_so(court: Court, tmp_path: Path) -> None:
    def drop(tensors: dict[str, torch.Tensor]) -> None:
        for key in [key for key in tensors if key.endswith(".alpha")]:
            del tensors[key]

    settings = changed(court, "kohya", tmp_path / "a.safetensors", drop)
    origin = take_external(settings, "train.external", court.params, tmp_path / "lora")
    assert (origin.scale_min, origin.scale_max) == (1, 1)
    alone = external(court.files["PEFT"] / "adapter_model.safetensors")
    with pytest.raises(ValueError, match=r"its keys are PEFT's, whose alpha is in adapter_config\.json: put that"):
        take_external(alone, "train.external", court.params, tmp_path / "other")


def test_a_file_of_16_bits_is_sampled_like_ours_in_32(court: Court, tmp_path: Path) -> None:
    tensors = load_file(court.files["kohya"])
    save_file({key: value.half() for key, value in tensors.items()}, tmp_path / "a.safetensors")
    take_external(external(tmp_path / "a.safetensors"), "train.external", court.params, tmp_path / "lora")
    written = load_file(tmp_path / "lora" / WEIGHT_NAME)
    assert {value.dtype for value in written.values()} == {torch.float32}
    key = "transformer.transformer_blocks.0.ff.net.2.lora_A.weight"
    original = load_file(court.files["diffusers"])[key]
    assert torch.equal(written[key], original.half().float())
    assert np.abs(court.images(tmp_path / "lora") - court.base).max() > 20


def test_alphas_that_contradict_each_other_are_refused(court: Court, tmp_path: Path) -> None:
    tensors = load_file(court.files["SimpleTuner comfyui"])
    save_file(tensors, tmp_path / "a.safetensors", {"lora_adapter_metadata": json.dumps({"lora_alpha": 4, "r": RANK})})
    with pytest.raises(ValueError, match=r"is 1\.5 by its alpha and 1 by the file's metadata"):
        take_external(external(tmp_path / "a.safetensors"), "train.external", court.params, tmp_path / "lora")


def test_rank_stabilised_scales_and_patterns_are_those_of_peft(court: Court, tmp_path: Path) -> None:
    peft = court.files["PEFT"]
    config = json.loads((peft / "adapter_config.json").read_text())
    (tmp_path / "peft").mkdir()
    (tmp_path / "peft" / "adapter_model.safetensors").write_bytes((peft / "adapter_model.safetensors").read_bytes())
    other = config | {"use_rslora": True, "alpha_pattern": {"norm_out.linear": 2}}
    (tmp_path / "peft" / "adapter_config.json").write_text(json.dumps(other))
    origin = take_external(external(tmp_path / "peft"), "train.external", court.params, tmp_path / "lora")
    assert (origin.scale_min, origin.scale_max) == (2 / RANK**0.5, ALPHA / RANK**0.5)
