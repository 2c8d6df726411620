"""Flow-DPO: learn from pairs of a right image (winner) and an anomalous one (loser) of the same prompt.

    L = -log sigmoid(-beta / 2 ((e_w - r_w) - (e_l - r_l)))

e is the squared velocity error of the model in training and r that of the frozen base, w of the winner and l of the
loser, both at the same noise and noise level (Liu et al. 2025, arXiv 2501.13918, eq. 5, with constant beta; Wallace et
al. 2023, arXiv 2311.12908, for the diffusion form).
"""

from __future__ import annotations

import torch


def flow_dpo_loss(
    winner: torch.Tensor, winner_base: torch.Tensor, loser: torch.Tensor, loser_base: torch.Tensor, beta: float
) -> torch.Tensor:
    """Loss of each pair, (B,), from log 2 at the start towards 0; all arguments are squared errors, (B,).

    Args:
        winner: error of the model in training on the right image.
        winner_base: error of the base on it.
        loser: error of the model in training on the anomalous image.
        loser_base: error of the base on it.
        beta: strength; the larger, the sooner a pair counts as learned.
    """
    gain = (winner - winner_base) - (loser - loser_base)
    return -torch.nn.functional.logsigmoid(-beta / 2 * gain)


def preference_accuracy(
    winner: torch.Tensor, winner_base: torch.Tensor, loser: torch.Tensor, loser_base: torch.Tensor
) -> torch.Tensor:
    """1 for each pair whose winner improved more than its loser against the base, else 0, (B,)."""
    return ((winner - winner_base) < (loser - loser_base)).float()
