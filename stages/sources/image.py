"""What every source yields."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class SourceImage:
    """One collected image."""

    image: NDArray[np.uint8]
    """RGB, (H, W, 3)."""
    text: str
    """Caption for training: it names what the image shows, place included."""
    prompt: str
    """The target prompt that the image answers."""
    provenance: dict[str, Any] = field(default_factory=dict)
    """Seed, model, request id and the like."""
