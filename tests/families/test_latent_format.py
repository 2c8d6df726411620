"""Scale and shift are inverses of each other, with Stable Diffusion 3's numbers."""

import pytest
import torch

from anomend.families.latent_format import LatentFormat

SD3 = LatentFormat(scaling_factor=1.5305, shift_factor=0.0609)


def test_out_inverts_in() -> None:
    encoded = torch.randn(2, 16, 8, 8)
    torch.testing.assert_close(SD3.process_out(SD3.process_in(encoded)), encoded)


def test_stable_diffusion_3s_formula() -> None:
    assert SD3.process_in(torch.tensor(1.0)).item() == pytest.approx((1 - 0.0609) * 1.5305)


def test_a_vae_without_shift_has_zero() -> None:
    class Config:
        scaling_factor, shift_factor = 0.18215, None

    class Vae:
        config = Config()

    assert LatentFormat.of(Vae()) == LatentFormat(0.18215, 0.0)
