"""Values that are not finite are refused in one sentence."""

import numpy as np
import pytest
import torch

from anomend.diffusion.finite import check_finite


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_a_value_that_is_not_finite_is_named_with_the_fix(bad, dtype):
    values = torch.zeros(2, 3, dtype=dtype)
    values[1, 2] = bad
    with pytest.raises(ValueError) as refusal:
        check_finite(values, "the image of 'lying on the grass' with seed 7")
    assert str(refusal.value).startswith(
        "the image of 'lying on the grass' with seed 7 is not finite (NaN or infinite in 1 of 6 values): set base.dtype"
    )


def test_an_own_fix_replaces_the_usual_one():
    with pytest.raises(ValueError, match=r"^the loss is not finite .* 1 of 1 values\): lower train.learning_rate$"):
        check_finite(torch.tensor(float("nan")), "the loss", "lower train.learning_rate")


def test_pictures_as_arrays_are_checked_too():
    picture = np.full((4, 4, 3), np.nan, dtype=np.float32)
    with pytest.raises(ValueError, match="48 of 48"):
        check_finite(picture, "the picture")


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.float8_e5m2, torch.int64, torch.uint8, torch.float16])
def test_finite_values_of_every_dtype_pass(dtype):
    check_finite(torch.ones(3).to(dtype), "nothing")
    check_finite(torch.zeros(0).to(dtype), "nothing at all")


def test_an_8_bit_value_that_is_not_finite_is_found():
    with pytest.raises(ValueError, match="1 of 2"):
        check_finite(torch.tensor([1.0, float("nan")]).to(torch.float8_e4m3fn), "the weight")
