"""Optional packages, the extras of pyproject.toml: what a run needs of them, and how to get it."""

from __future__ import annotations

from importlib.util import find_spec

EXTRA_OF = {
    "bitsandbytes": "gpu",
    "tensorboard": "trackers",
    "torch_fidelity": "torchvision",
    "torchvision": "torchvision",
    "wandb": "trackers",
}
"""Package, as it is imported -> the extra that has it."""


def how_to_install(package: str) -> str:
    """The commands that install a package of an extra, for the end of a sentence."""
    extra = EXTRA_OF[package]
    return f"run `rm -f .venv/ready; make setup EXTRAS={extra}`, or `pip install -e '.[{extra}]'` in the project"


def refuse_missing(package: str, setting: str) -> None:
    """Check that a package is installed, without importing it.

    Args:
        package: as it is imported.
        setting: the parameter that needs it, with its value.

    Raises:
        ValueError: it is not installed.
    """
    if find_spec(package) is None:
        raise ValueError(f"{setting} needs the package {package}, which is not installed: {how_to_install(package)}")
