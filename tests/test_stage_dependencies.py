"""A stage of measuring, judging or deciding runs again when code that it runs was changed."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT
from tests.imports import imported

EVERYWHERE = {
    ROOT / "stages" / name
    for name in (
        *("cli.py", "imagefolder.py", "metric_files.py", "seeding.py", "slugs.py"),
        *("params.py", "param_types.py", "image_params.py", "train_params.py", "evaluation_params.py"),
    )
}
"""How stages run, read, write and seed, which no stage lists."""


@pytest.mark.parametrize("name", ["measure", "compare", "judge", "survey", "agreement", "verdict"])
def test_a_stage_lists_every_file_that_it_imports(name: str) -> None:
    deps = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"][name]["deps"]
    listed = [ROOT / path for path in deps if "$" not in path]
    assert all(path.exists() for path in listed if path.is_relative_to(ROOT / "stages"))
    needed = set(imported(ROOT / "stages" / f"{name}.py")) - EVERYWHERE
    unlisted = {path.relative_to(ROOT) for path in needed if not any(path.is_relative_to(dep) for dep in listed)}
    assert unlisted == set()


def test_imports_are_followed_into_functions_and_packages() -> None:
    found = {path.relative_to(ROOT) for path in imported(ROOT / "anomend" / "measuring" / "features.py")}
    # `from anomend.measuring import networks`, and hub_models from there.
    assert {Path("anomend/measuring/networks.py"), Path("anomend/project/hub_models.py")} <= found
    photographs = imported(ROOT / "anomend" / "detectors" / "photographs" / "detector.py")
    assert ROOT / "anomend" / "detectors" / "photographs" / "pose.py" in set(photographs)
