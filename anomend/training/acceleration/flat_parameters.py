"""All trained parameters in one tensor: optimizer, clipping and average are then one operation each per step."""

from __future__ import annotations

from collections.abc import Sequence

import torch


def flatten(parameters: Sequence[torch.nn.Parameter]) -> torch.nn.Parameter:
    """Move parameters and their gradients into one parameter whose parts they become.

    The model keeps its own parameters, which share memory with the flat one: a change of either is a change of both.
    Gradients must be zeroed and never be set to None, which would end the sharing.

    Args:
        parameters: leaves of one dtype on one device, not sharded; at least one.

    Returns:
        A leaf of shape (total number of elements,), in the order of the parameters, with a gradient of zeros.
    """
    flat = torch.nn.Parameter(torch.cat([parameter.detach().flatten() for parameter in parameters]))
    flat.grad = torch.zeros_like(flat)
    sizes = [parameter.numel() for parameter in parameters]
    values, gradients = flat.detach().split(sizes), flat.grad.split(sizes)
    for parameter, value, gradient in zip(parameters, values, gradients, strict=True):
        parameter.data = value.view_as(parameter)
        parameter.grad = gradient.view_as(parameter)
    return flat
