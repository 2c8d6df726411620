"""Flow-DPO: learn from pairs of a right image (winner) and an anomalous one (loser) of the same prompt.

    L = -log sigmoid(-beta / 2 ((e_w - r_w) - (e_l - r_l)))

e is the squared velocity error of the model in training, r that of the frozen base; w marks the winner and l the loser.
All four are at the same noise and noise level (Liu et al. 2025, arXiv 2501.13918, eq. 5, with constant beta; Wallace et
al. 2023, arXiv 2311.12908, for the diffusion form).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True, kw_only=True)
class PairErrors:
    """Squared errors of B pairs, each tensor (B,)."""

    winner: torch.Tensor
    """Error of the model in training on the right image."""
    winner_base: torch.Tensor
    """Error of the base on it."""
    loser: torch.Tensor
    """Error of the model in training on the anomalous image."""
    loser_base: torch.Tensor
    """Error of the base on it."""


def flow_dpo_loss(errors: PairErrors, beta: float) -> torch.Tensor:
    """Loss of each pair, (B,), from log 2 at the start towards 0.

    Args:
        errors: of the pairs.
        beta: strength; the larger, the sooner a pair counts as learned.
    """
    gain = (errors.winner - errors.winner_base) - (errors.loser - errors.loser_base)
    return -torch.nn.functional.logsigmoid(-beta / 2 * gain)


def preference_accuracy(errors: PairErrors) -> torch.Tensor:
    """1 for each pair whose winner improved more than its loser, relative to the base, else 0, (B,)."""
    return ((errors.winner - errors.winner_base) < (errors.loser - errors.loser_base)).float()
