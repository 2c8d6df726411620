"""The one place that turns seeds into random number generators."""

from __future__ import annotations

import hashlib
import random
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch  # Two seconds, which stages without a network need not wait.


def derived_seed(*keys: int | str) -> int:
    """A 63-bit seed from a sequence of keys, such as (seed, 'noise', step, sample id).

    Keyed seeds make every draw a pure function of its keys: a resumed run draws what an uninterrupted one would have
    drawn, in whatever order, on however many processes.
    """
    text = "\x1f".join(f"{type(key).__name__}:{key}" for key in keys)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def torch_generator(*keys: int | str) -> torch.Generator:
    """A CPU generator for the keys."""
    import torch

    return torch.Generator().manual_seed(derived_seed(*keys))


def numpy_generator(*keys: int | str) -> np.random.Generator:
    """A numpy generator for the keys."""
    return np.random.default_rng(derived_seed(*keys))


def python_random(*keys: int | str) -> random.Random:
    """A standard-library generator for the keys."""
    return random.Random(derived_seed(*keys))


def make_deterministic(seed: int) -> None:
    """Seed the global generators and ask torch for deterministic kernels.

    Called before anything that draws without a generator of its own, such as peft's initialisation of LoRA weights.
    On CUDA, deterministic cuBLAS also needs CUBLAS_WORKSPACE_CONFIG=:4096:8 in the environment before the first call.
    """
    import torch

    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(True, warn_only=True)
    # Filling memory that is about to be overwritten anyway costs time and makes nothing more reproducible here.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False
