"""The captured transformer: the same velocities and gradients as the transformer that it was captured from."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from diffusers import SD3Transformer2DModel
from torch.utils._triton import has_triton

from anomend.diffusion.lora import add_lora
from anomend.training.acceleration.compiler import check_compiler, compile_options
from anomend.training.acceleration.flat_parameters import flatten
from anomend.training.acceleration.whole import CapturedTransformer
from tests.diffusion.tiny import compiles, tiny_transformer, train_params


@torch.library.custom_op("anomend_tests::fills_the_memory", mutates_args=())
def fills_the_memory(values: torch.Tensor) -> torch.Tensor:
    raise torch.OutOfMemoryError("out of memory")


fills_the_memory.register_fake(torch.empty_like)


class FillsTheMemory(torch.nn.Module):
    def forward(self, values: torch.Tensor) -> torch.Tensor:
        filled: torch.Tensor = fills_the_memory(values)
        return filled


class DependsOnData(torch.nn.Module):
    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return values if values.sum() > 0 else -values


def adapted(use_dora: bool = False, **changes: Any) -> tuple[SD3Transformer2DModel, torch.nn.Parameter]:
    """The tiny transformer with an adapter that changes what it predicts, and the adapter's flat tensor."""
    transformer = tiny_transformer(**changes).train()
    flat = flatten(
        add_lora(
            transformer, rank=2, alpha=4.0, target_modules=["to_q", "to_k", "to_out.0", "ff.net.2"], use_dora=use_dora
        )
    )
    with torch.no_grad():
        flat.add_(0.1 * torch.randn(flat.shape, generator=torch.Generator().manual_seed(1)))
    return transformer, flat


def inputs(batch: int, dtype: torch.dtype = torch.float32) -> dict[str, Any]:
    draw = torch.Generator().manual_seed(batch)
    values: dict[str, Any] = {
        "hidden_states": torch.randn(batch, 4, 4, 4, generator=draw),
        "timestep": 1000 * torch.rand(batch, generator=draw),
        "encoder_hidden_states": torch.randn(batch, 3, 16, generator=draw),
        "pooled_projections": torch.randn(batch, 8, generator=draw),
        "return_dict": False,
    }
    casts = ("hidden_states", "encoder_hidden_states", "pooled_projections")
    return values | {name: values[name].to(dtype) for name in casts}


def velocity_and_gradient(
    model: torch.nn.Module, flat: torch.nn.Parameter, batch: int
) -> tuple[torch.Tensor, torch.Tensor]:
    assert flat.grad is not None
    flat.grad.zero_()
    (velocity,) = model(**inputs(batch))
    velocity.square().mean().backward()
    return velocity.detach(), flat.grad.clone()


def assert_same(model: torch.nn.Module, captured: torch.nn.Module, flat: torch.nn.Parameter, batch: int) -> None:
    expected, actual = velocity_and_gradient(model, flat, batch), velocity_and_gradient(captured, flat, batch)
    assert expected[1].abs().max() > 1e-3
    torch.testing.assert_close(actual, expected, atol=2e-5, rtol=1e-4)


@pytest.mark.slow
@compiles
def test_velocity_and_gradient_are_the_transformer_s_by_generated_code() -> None:
    transformer, flat = adapted()
    assert_same(transformer, CapturedTransformer(transformer, flat), flat, 2)


@pytest.mark.slow
@compiles
@pytest.mark.usefixtures("no_code_generator")
@pytest.mark.parametrize(
    "made",
    [
        {"use_dora": True},
        # Stable Diffusion 3.5's kinds of block.
        {"qk_norm": "rms_norm", "dual_attention_layers": (0,)},
    ],
    ids=["dora", "sd3.5"],
)
def test_velocity_and_gradient_are_the_transformer_s(made: dict[str, Any]) -> None:
    transformer, flat = adapted(**made)
    assert_same(transformer, CapturedTransformer(transformer, flat), flat, 2)


@pytest.mark.slow
@compiles
@pytest.mark.usefixtures("no_code_generator")
def test_new_values_shapes_and_adapters_are_seen() -> None:
    transformer, flat = adapted()
    captured = CapturedTransformer(transformer, flat)
    assert_same(transformer, captured, flat, 2)
    with torch.no_grad():
        flat.mul_(-0.5)
    assert_same(transformer, captured, flat, 2)
    assert_same(transformer, captured, flat, 3)
    transformer.disable_adapters()
    with torch.no_grad():
        without = transformer(**inputs(2))[0]
        torch.testing.assert_close(captured(**inputs(2))[0], without, atol=2e-5, rtol=1e-4)
        transformer.enable_adapters()
        torch.testing.assert_close(captured(**inputs(2))[0], transformer(**inputs(2))[0], atol=2e-5, rtol=1e-4)
        assert (transformer(**inputs(2))[0] - without).abs().max() > 1e-3
    assert_same(transformer, captured, flat, 2)


@pytest.mark.slow
@compiles
@pytest.mark.usefixtures("no_code_generator")
def test_a_bfloat16_base_keeps_its_adapter_in_float32() -> None:
    transformer, flat = adapted()
    exact = velocity_and_gradient(transformer, flat, 2)
    for module in transformer.modules():
        for name, parameter in module.named_parameters(recurse=False):
            if not parameter.requires_grad:
                setattr(module, name, torch.nn.Parameter(parameter.to(torch.bfloat16), requires_grad=False))
    transformer.pos_embed.pos_embed = transformer.pos_embed.pos_embed.to(torch.bfloat16)
    captured = CapturedTransformer(transformer, flat)
    for model in (transformer, captured):
        assert flat.grad is not None
        flat.grad.zero_()
        (velocity,) = model(**inputs(2, torch.bfloat16))
        velocity.float().square().mean().backward()
        assert velocity.dtype == torch.bfloat16 and flat.grad.dtype == torch.float32
        # bfloat16 has 8 bits: what it rounds away is the same share of the gradient either way.
        assert (flat.grad - exact[1]).norm() < 0.03 * exact[1].norm()
    # Another dtype is another kind of call, not a wrong answer.
    with pytest.raises(ValueError, match="cannot capture this base"):
        captured(**inputs(2))


@pytest.mark.slow
@compiles
@pytest.mark.usefixtures("no_code_generator")
def test_lack_of_memory_is_called_that(monkeypatch: pytest.MonkeyPatch) -> None:
    # As on a GPU, where there is no wrapper in C++.
    gpu = partial(compile_options, torch.device("cuda"))
    monkeypatch.setattr("anomend.training.acceleration.whole.compile_options", lambda _, keep: gpu(keep))
    transformer, flat = adapted()
    transformer.proj_out = torch.nn.Sequential(transformer.proj_out, FillsTheMemory())
    captured = CapturedTransformer(transformer, flat)
    for _ in range(2):
        with torch.no_grad(), pytest.raises(torch.OutOfMemoryError):
            captured(**inputs(2))


@compiles
def test_a_base_that_cannot_be_captured_is_refused() -> None:
    transformer, flat = adapted()
    transformer.proj_out = torch.nn.Sequential(transformer.proj_out, DependsOnData())
    with pytest.raises(
        ValueError, match=r"train\.compile = whole cannot capture this base .* set it to blocks or none"
    ):
        CapturedTransformer(transformer, flat)(**inputs(2))


@pytest.mark.skipif(has_triton(), reason="Triton is here")
def test_a_gpu_without_triton_is_refused() -> None:
    with pytest.raises(ValueError, match="needs Triton on a GPU: install triton, or set it to none"):
        check_compiler(torch.device("cuda"))


@pytest.mark.parametrize("changes", [{"gradient_checkpointing": True}, {"quantise_base": "nf4"}])
def test_what_one_graph_cannot_hold_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"train\.compile = 'whole' .* set train\.compile to 'blocks'"):
        train_params(compile="whole", **changes)
