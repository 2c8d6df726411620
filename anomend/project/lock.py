"""The locked versions of packages."""

from __future__ import annotations

from pathlib import Path


def locked_versions(folder: Path) -> dict[str, str]:
    """Package -> public version."""
    lines = (folder / "requirements.lock").read_text(encoding="utf-8").splitlines()
    pairs = [line.split("==") for line in lines if "==" in line and not line.startswith("#")]
    return {name.lower().replace("_", "-").replace(".", "-"): version.split("+")[0] for name, version in pairs}
