"""Parameters in one flat tensor: the same training, step by step, as with parameters of their own."""

from __future__ import annotations

import copy

import torch

from anomend.training.acceleration.flat_parameters import flatten


def _model() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.GELU(), torch.nn.Linear(5, 2, bias=False))


def test_the_flat_tensor_holds_values_and_gradients_in_order() -> None:
    model = _model()
    before = [parameter.detach().clone() for parameter in model.parameters()]
    flat = flatten(list(model.parameters()))
    assert torch.equal(flat, torch.cat([value.flatten() for value in before]))
    model(torch.ones(4, 3)).square().sum().backward()
    gradients = [parameter.grad for parameter in model.parameters()]
    assert flat.grad is not None and flat.grad.abs().sum() > 0
    assert torch.equal(flat.grad, torch.cat([g.flatten() for g in gradients if g is not None]))


def test_what_changes_one_changes_the_other() -> None:
    model = _model()
    flat = flatten(list(model.parameters()))
    with torch.no_grad():
        flat.fill_(2.0)
    assert all(bool((parameter == 2).all()) for parameter in model.parameters())
    for parameter in model.parameters():
        parameter.data.mul_(3)
    assert bool((flat == 6).all())


def test_training_is_that_of_torch_with_parameters_of_their_own() -> None:
    ours, theirs = _model(), copy.deepcopy(_model())
    flat = flatten(list(ours.parameters()))
    optimizers = [
        torch.optim.AdamW(parameters, lr=0.01, weight_decay=0.1) for parameters in ([flat], list(theirs.parameters()))
    ]
    for step in range(20):
        inputs = torch.randn(8, 3, generator=torch.Generator().manual_seed(step))
        for model, optimizer in zip((ours, theirs), optimizers, strict=True):
            model(inputs).square().mean().backward()
            torch.nn.utils.clip_grad_norm_([p for group in optimizer.param_groups for p in group["params"]], 0.1)
            optimizer.step()
            optimizer.zero_grad(set_to_none=model is theirs)
    for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(one, other)
