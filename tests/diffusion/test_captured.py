"""The captured transformer: the same velocities and gradients as the transformer that it was captured from."""

from __future__ import annotations

import shutil
from typing import Any

import pytest
import torch
from diffusers import SD3Transformer2DModel
from pydantic import ValidationError

from stages.diffusion.captured import CapturedTransformer
from stages.diffusion.flat_parameters import flatten
from stages.diffusion.lora import add_lora
from tests.diffusion.tiny import tiny_transformer, train_params

compiles = pytest.mark.skipif(
    shutil.which("g++") is None or " " in torch.__file__, reason="needs g++, and a path without spaces"
)


def adapted(use_dora: bool = False, **changes: Any) -> tuple[SD3Transformer2DModel, torch.nn.Parameter]:
    """The tiny transformer with an adapter that changes what it predicts, and the adapter's flat tensor."""
    transformer = tiny_transformer(**changes).train()
    flat = flatten(add_lora(transformer, 2, 4.0, ["to_q", "to_k", "to_out.0", "ff.net.2"], use_dora=use_dora))
    with torch.no_grad():
        flat.add_(0.1 * torch.randn(flat.shape, generator=torch.Generator().manual_seed(1)))
    return transformer, flat


def inputs(batch: int) -> dict[str, Any]:
    draw = torch.Generator().manual_seed(batch)
    return {
        "hidden_states": torch.randn(batch, 4, 4, 4, generator=draw),
        "timestep": 1000 * torch.rand(batch, generator=draw),
        "encoder_hidden_states": torch.randn(batch, 3, 16, generator=draw),
        "pooled_projections": torch.randn(batch, 8, generator=draw),
        "return_dict": False,
    }


def velocity_and_gradient(
    model: torch.nn.Module, flat: torch.nn.Parameter, batch: int
) -> tuple[torch.Tensor, torch.Tensor]:
    assert flat.grad is not None
    flat.grad.zero_()
    (velocity,) = model(**inputs(batch))
    velocity.square().mean().backward()
    return velocity.detach(), flat.grad.clone()


def assert_same(model: torch.nn.Module, captured: torch.nn.Module, flat: torch.nn.Parameter, batch: int) -> None:
    expected, found = velocity_and_gradient(model, flat, batch), velocity_and_gradient(captured, flat, batch)
    assert expected[1].abs().max() > 1e-3
    torch.testing.assert_close(found, expected, atol=2e-5, rtol=1e-4)


@pytest.mark.slow
@compiles
@pytest.mark.parametrize(
    "made",
    [
        {},
        {"use_dora": True},
        # Stable Diffusion 3.5's kinds of block.
        {"qk_norm": "rms_norm", "dual_attention_layers": (0,)},
    ],
    ids=["sd3", "dora", "sd3.5"],
)
def test_velocity_and_gradient_are_the_transformer_s(made: dict[str, Any]) -> None:
    transformer, flat = adapted(**made)
    assert_same(transformer, CapturedTransformer(transformer, flat), flat, 2)


@pytest.mark.slow
@compiles
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


@pytest.mark.parametrize("changes", [{"gradient_checkpointing": True}, {"quantise_base": "nf4"}])
def test_what_one_graph_cannot_hold_is_refused(raw_params: dict[str, Any], changes: dict[str, Any]) -> None:
    with pytest.raises((ValueError, ValidationError), match=r"train\.compile = 'whole' .* set it to 'blocks'"):
        train_params(raw_params, compile="whole", **changes)
