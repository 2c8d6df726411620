"""Arrays that no measure of pixels may take for an 8-bit image."""

import numpy as np
import pytest

NO_IMAGES = [
    pytest.param(np.zeros((8, 8, 4), np.uint8), id="RGBA"),
    pytest.param(np.zeros((8, 8, 2), np.uint8), id="grey and alpha"),
    pytest.param(np.zeros((8, 8), np.uint16), id="16 bits"),
    pytest.param(np.zeros((8, 8, 3)), id="floats"),
    pytest.param(np.zeros((8, 8, 3), bool), id="1 bit"),
    pytest.param(np.zeros((0, 8, 3), np.uint8), id="no pixels"),
    pytest.param(np.zeros((3, 8, 8), np.uint8), id="channels first"),
    pytest.param(np.zeros((1, 8, 8, 3), np.uint8), id="a batch"),
]
