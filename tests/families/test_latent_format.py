"""Scale and shift are inverses of each other, with Stable Diffusion 3's numbers."""

import pytest
import torch

from anomend.families.family import padded, to_dtype
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


def test_patches_become_channels_before_they_are_scaled_channel_by_channel() -> None:
    scale, shift = torch.arange(1.0, 9.0).view(-1, 1, 1), torch.arange(8.0).view(-1, 1, 1)
    latent_format = LatentFormat(scale, shift, patch=2)
    encoded = torch.randn(3, 2, 6, 4)
    latents = latent_format.process_in(encoded)
    assert latents.shape == (3, 8, 3, 2)
    for channel, row, column, down, right in ((0, 0, 0, 0, 0), (1, 2, 1, 1, 0), (1, 1, 0, 0, 1)):
        place = 4 * channel + 2 * down + right
        by_hand = (encoded[2, channel, 2 * row + down, 2 * column + right] - place) * (place + 1)
        assert latents[2, place, row, column] == pytest.approx(float(by_hand), abs=1e-5)
    torch.testing.assert_close(latent_format.process_out(latents), encoded)
    # One image is formatted as in a batch.
    assert torch.equal(latent_format.process_in(encoded[0]), latents[0])


def test_texts_of_different_lengths_are_padded_with_a_mask() -> None:
    texts = padded([torch.ones(2, 3), torch.ones(4, 3)], 5)
    assert texts["mask"].tolist() == [[True] * 2 + [False] * 3, [True] * 4 + [False]]
    assert texts["embeds"].shape == (2, 5, 3) and texts["embeds"].sum(2).tolist() == [[3, 3, 0, 0, 0], [3, 3, 3, 3, 0]]
    halves = to_dtype(texts, torch.device("cpu"), torch.bfloat16)
    assert halves["embeds"].dtype == torch.bfloat16 and halves["mask"].dtype == torch.bool
