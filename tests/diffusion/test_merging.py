"""While images are sampled on a CPU, an adapter is part of the weights; afterwards nothing has changed."""

from __future__ import annotations

import contextlib
from unittest.mock import patch

import numpy as np
import pytest
import torch
from diffusers import ModelMixin
from peft.tuners.lora import Linear

from anomend.diffusion.base_models import load_pipeline
from anomend.diffusion.lora import add_lora
from anomend.diffusion.merging import merged_adapters
from anomend.diffusion.sampling import sample_images
from tests.conftest import ROOT
from tests.diffusion.tiny import predict, tiny_transformer

MODULES = ["to_q", "to_out.0", "add_k_proj"]


def adapted(*, use_dora: bool = False, dtype: torch.dtype = torch.float32) -> ModelMixin:
    """A model whose adapters change its velocity."""
    torch.manual_seed(0)
    transformer = tiny_transformer().to(dtype)
    for parameter in add_lora(transformer, rank=4, alpha=8, target_modules=MODULES, use_dora=use_dora):
        torch.nn.init.normal_(parameter.data, std=0.1)
    return transformer


def base_weights(transformer: ModelMixin) -> dict[str, torch.Tensor]:
    return {name: layer.base_layer.weight for name, layer in layers(transformer).items()}


def layers(transformer: ModelMixin) -> dict[str, Linear]:
    return {name: module for name, module in transformer.named_modules() if isinstance(module, Linear)}


@pytest.mark.parametrize("use_dora", [False, True])
def test_the_merged_model_predicts_the_same_and_is_left_as_it_was(use_dora: bool) -> None:
    transformer = adapted(use_dora=use_dora)
    expected, before = predict(transformer), {name: w.data for name, w in base_weights(transformer).items()}
    values = {name: data.clone() for name, data in before.items()}
    with merged_adapters(transformer):
        assert all(layer.merged for layer in layers(transformer).values())
        torch.testing.assert_close(predict(transformer), expected, atol=1e-5, rtol=1e-5)
        for name, layer in layers(transformer).items():
            if not use_dora:
                # alpha / rank is 2.
                product = 2 * layer.lora_B["default"].weight @ layer.lora_A["default"].weight
                torch.testing.assert_close(layer.base_layer.weight, values[name] + product)
    for name, weight in base_weights(transformer).items():
        # The very tensor, and its bytes.
        assert weight.data_ptr() == before[name].data_ptr() and torch.equal(weight, values[name])
    assert not any(layer.merged for layer in layers(transformer).values())
    assert torch.equal(predict(transformer), expected)


def test_a_half_precision_weight_and_adapters_that_are_off_stay_apart() -> None:
    half, off = adapted(dtype=torch.bfloat16), adapted()
    off.disable_adapters()
    for transformer in (half, off, tiny_transformer()):
        before = {name: weight.clone() for name, weight in base_weights(transformer).items()}
        with merged_adapters(transformer):
            assert not any(layer.merged for layer in layers(transformer).values())
            assert all(torch.equal(weight, before[name]) for name, weight in base_weights(transformer).items())


def test_an_error_inside_leaves_the_weights_as_they_were() -> None:
    transformer = adapted()
    expected = predict(transformer)
    with pytest.raises(KeyboardInterrupt), merged_adapters(transformer):
        raise KeyboardInterrupt
    assert torch.equal(predict(transformer), expected)
    broken = adapted()
    list(layers(broken).values())[-1].lora_B["default"].weight.data[0] = torch.nan
    before = {name: weight.clone() for name, weight in base_weights(broken).items()}
    with pytest.raises(ValueError, match="train the LoRA again"), merged_adapters(broken):
        pass
    assert all(torch.equal(weight, before[name]) for name, weight in base_weights(broken).items())


def test_the_images_are_those_of_the_adapters_apart() -> None:
    pipeline = load_pipeline("mini", str(ROOT / "models" / "mini"), "float32")
    torch.manual_seed(0)
    for parameter in add_lora(pipeline.transformer, rank=4, alpha=4, target_modules=MODULES):
        torch.nn.init.normal_(parameter.data, std=0.15)
    seen: list[bool] = []
    layer = next(iter(layers(pipeline.transformer).values()))
    hook = layer.register_forward_hook(lambda module, *_: seen.append(module.merged))
    merged = sample(pipeline)
    hook.remove()
    assert seen and all(seen) and not layer.merged
    with patch("anomend.diffusion.sampling.merged_adapters", contextlib.nullcontext):
        apart = sample(pipeline)
    pipeline.transformer.disable_adapters()
    base = sample(pipeline)
    assert np.abs(merged - apart).max() <= 1
    assert np.abs(merged - base).mean() > 3


def sample(pipeline: object) -> np.ndarray:
    requests = [("lying on the grass", seed) for seed in range(4)]
    settings = {"steps": 4, "guidance_scale": 4.0, "resolution": 64, "max_sequence_length": 1, "batch_size": 4}
    return np.stack(list(sample_images(pipeline, requests, **settings))).astype(float)
