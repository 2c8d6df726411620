"""What an observation refuses."""

import numpy as np
import pytest

from anomend.detectors.observation import Observation, bounds


def test_a_region_without_a_pixel_is_refused() -> None:
    with pytest.raises(ValueError, match="pass None"):
        Observation(region=np.zeros((4, 4), bool))


def test_bounds_are_left_top_right_and_bottom() -> None:
    region = np.zeros((10, 20), bool)
    region[2:5, 7:8] = True
    assert bounds(region) == (7, 2, 8, 5)
