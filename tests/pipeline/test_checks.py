"""What `resolve` refuses in its first second, with the fix in the sentence."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from anomend.pipeline import checks
from anomend.project import extras
from anomend.project.paths import PRICES, RETIRED_MODELS
from tests.conftest import ROOT
from tests.parameters import NAMES, params_of, user_params

BARE = {
    "measure": {"detector": "none"},
    "class_images": {"detector": "none"},
    "losers": {"detector": "none"},
}
REAL = [name for name in NAMES if not name.startswith("mini")]


def check(profile: str, **changes: dict[str, Any]) -> None:
    user = user_params() | {"profile": profile}
    for section, values in ((BARE if profile != "mini" else {}) | changes).items():
        user[section] |= values
    checks.check_before_run(params_of(user), root=ROOT, prices=ROOT / PRICES, retired_models=ROOT / RETIRED_MODELS)


@pytest.mark.parametrize("profile", REAL)
def test_a_real_base_does_not_learn_from_drawn_people(profile: str) -> None:
    fix = rf"set it in params\.yaml to folder .*data/own.*`dvc exp run -S profile={profile} -S collect\.source=folder`"
    with pytest.raises(ValueError, match=fix):
        check(profile)
    with pytest.raises(ValueError, match=r"collect\.mix names drawn_people.*leave them out"):
        check(profile, collect={"source": "paper", "mix": {"drawn_people": 5}})


def test_the_miniature_does() -> None:
    check("mini")


@pytest.mark.parametrize(
    ("changes", "package", "extra"),
    [
        ({"encode": {"t5_8bit": True}}, "bitsandbytes", "gpu"),
        ({"train": {"quantise_base": "nf4"}}, "bitsandbytes", "gpu"),
        ({"train": {"optimizer": "adamw_8bit"}}, "bitsandbytes", "gpu"),
        ({"measure": {"extractor": "inception"}}, "torch_fidelity", "torchvision"),
    ],
)
def test_a_package_that_is_not_installed_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], package: str, extra: str
) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name == package else object())
    with pytest.raises(ValueError, match=rf"needs the package {package}, .* EXTRAS={extra}`.*-e '\.\[{extra}\]'"):
        check("mini", **changes)


@pytest.mark.parametrize("tracker", ["tensorboard", "wandb"])
def test_so_is_that_of_a_tracker(monkeypatch: pytest.MonkeyPatch, tracker: str) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name == tracker else object())
    monitor = user_params()["train"]["monitor"] | {"trackers": ["tensorboard", "wandb"]}
    with pytest.raises(ValueError, match=rf"trackers = \[{tracker}\] needs the package {tracker}"):
        check("mini", train={"monitor": monitor})


def test_every_extra_is_one_of_the_project_and_has_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for package, extra in extras.EXTRA_OF.items():
        assert package.replace("_", "-") in {name.split(">")[0].split("=")[0] for name in project[extra]}
        assert Path(ROOT / "requirements" / f"{extra}.lock").is_file()
