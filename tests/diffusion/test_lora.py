"""A saved LoRA is what diffusers loads, and nothing else is."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from anomend.diffusion.base_models import load_pipeline
from anomend.diffusion.lora import add_lora, load_lora, save_lora
from anomend.diffusion.lora_folder import WEIGHT_NAME, lora_sha256
from tests.conftest import ROOT
from tests.diffusion.tiny import predict, tiny_transformer

MINI = str(ROOT / "models" / "mini")
MODULES = ["to_q", "to_out.0", "add_k_proj"]


def test_a_fresh_adapter_changes_nothing_and_a_loaded_one_predicts_what_the_saved_one_did(tmp_path: Path) -> None:
    trained = load_pipeline("mini", MINI, "float32")
    plain = predict(trained.transformer)
    torch.manual_seed(0)
    parameters = add_lora(trained.transformer, rank=4, alpha=8, target_modules=MODULES)
    assert torch.equal(predict(trained.transformer), plain)
    for parameter in parameters:
        torch.nn.init.normal_(parameter.data, std=0.1)
    expected = predict(trained.transformer)
    assert (expected - plain).abs().max() > 0.01
    digest = save_lora(trained.transformer, tmp_path)
    assert digest == lora_sha256(tmp_path)

    loaded = load_pipeline("mini", MINI, "float32")
    load_lora(loaded, tmp_path)
    torch.testing.assert_close(predict(loaded.transformer), expected, atol=1e-5, rtol=1e-5)


def test_rank_and_alpha_are_saved_with_the_weights(tmp_path: Path) -> None:
    transformer = tiny_transformer()
    add_lora(transformer, rank=4, alpha=8, target_modules=MODULES)
    save_lora(transformer, tmp_path)
    with safe_open(tmp_path / WEIGHT_NAME, framework="pt") as handle:
        metadata = str(handle.metadata())
    assert '"transformer.r": 4' in metadata and '"transformer.lora_alpha": 8' in metadata


def test_adapters_are_trained_in_float32_on_a_half_precision_base() -> None:
    parameters = add_lora(tiny_transformer().to(torch.bfloat16), rank=2, alpha=2, target_modules=MODULES)
    assert {parameter.dtype for parameter in parameters} == {torch.float32}


def test_missing_weights_and_another_bases_weights_are_refused(tmp_path: Path) -> None:
    pipeline = load_pipeline("mini", MINI, "float32")
    with pytest.raises(ValueError, match="is missing: run `dvc repro train`"):
        load_lora(pipeline, tmp_path)
    other = tiny_transformer()
    add_lora(other, rank=2, alpha=2, target_modules=MODULES)
    save_lora(other, tmp_path)
    with pytest.raises(ValueError, match="does not fit this base"):
        load_lora(pipeline, tmp_path)


def test_a_broken_lora_is_named_and_a_lack_of_memory_is_not_blamed_on_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = load_pipeline("mini", MINI, "float32")
    add_lora(pipeline.transformer, rank=2, alpha=2, target_modules=MODULES)
    save_lora(pipeline.transformer, tmp_path)

    def full(*_: object, **__: object) -> None:
        raise RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")

    monkeypatch.setattr(pipeline, "load_lora_weights", full)
    with pytest.raises(RuntimeError, match="out of memory"):
        load_lora(pipeline, tmp_path)
    (tmp_path / WEIGHT_NAME).write_bytes((tmp_path / WEIGHT_NAME).read_bytes()[:100])
    with pytest.raises(
        ValueError, match=rf"{WEIGHT_NAME} is broken \(.*\): run `make check-cache`, then `dvc repro train`"
    ):
        load_lora(pipeline, tmp_path)
