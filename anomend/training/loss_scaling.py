"""Loss scaling for a base in float16, whose small gradients would otherwise be rounded to 0.

float16 loses digits below 6e-5 and has nothing below 6e-8. The loss is a mean over the latent, so that its gradient
with respect to each of the 262,144 elements of a 1024-px latent is about that small. The loss is therefore multiplied
by a power of two before it is differentiated, and the gradients of the LoRA, which are float32, are divided by it
(Micikevicius et al. 2018, arXiv 1710.03740, section 3.2). A factor that overflows is halved, and the step is done
again: its draws depend on the step alone, so no step is left out. After 2000 steps without an overflow it is doubled.

Other precisions have float32's range, and nothing is multiplied.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch

FIRST_FACTOR = 2.0**16
"""The factor of the first step."""


class LossScaling:
    """The factor of the loss, and its history; does nothing unless the base is in float16."""

    def __init__(self, dtype: torch.dtype, device: torch.device) -> None:
        """Args: dtype: the base's precision. device: where the loss is."""
        self.scaler = torch.amp.GradScaler(
            device.type, init_scale=FIRST_FACTOR, growth_interval=2000, enabled=dtype == torch.float16
        )

    def scaled(self, loss: torch.Tensor) -> torch.Tensor:
        """The loss to differentiate."""
        return self.scaler.scale(loss)

    def unscale(self, optimizer: torch.optim.Optimizer) -> None:
        """Divide the gradients of an optimizer's parameters by the factor, once per attempt at a step."""
        self.scaler.unscale_(optimizer)

    def succeeded(self) -> None:
        """The gradients were finite."""
        self.scaler.update()

    def lowered(self) -> bool:
        """After gradients that were not finite: whether the factor could be lowered, and the step is to be repeated."""
        if not self.scaler.is_enabled():
            return False
        before = self.scaler.get_scale()
        self.scaler.update()
        return 1 <= self.scaler.get_scale() < before

    def tensors(self) -> dict[str, torch.Tensor]:
        """The state, for a checkpoint; empty where nothing is scaled."""
        state = self.scaler.state_dict()
        if not state:
            return {}
        return {"loss_scaling": torch.tensor([state["scale"], state["_growth_tracker"]], dtype=torch.float64)}

    def restore(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Put back what `tensors` returned; other tensors are ignored."""
        if self.scaler.is_enabled():
            scale, steps = tensors["loss_scaling"].tolist()
            self.scaler.load_state_dict(self.scaler.state_dict() | {"scale": scale, "_growth_tracker": int(steps)})
