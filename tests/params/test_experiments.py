"""Parameters set as users do it: `dvc exp run -S`, for every parameter of every profile, through DVC itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from anomend.params.resolved import load_params
from anomend.project.yaml_files import read_yaml
from tests.clones import clone, run
from tests.parameters import params_of, user_params
from tests.params.test_profiles import NAMES, leaves

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clone(tmp_path_factory.mktemp("experiments"), changes={})


def override(key: str, value: Any) -> str:
    """A setting in the grammar of `dvc exp run -S`."""
    return f"{key}={written(value)}"


def written(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return "'" + value.replace("'", "\\'") + "'"
    if isinstance(value, list):
        return f"[{','.join(map(written, value))}]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{written(inner)}" for key, inner in value.items()) + "}"
    return str(value)


def experiment_run(project: Path, settings: list[str]) -> None:
    run(project, "dvc", "exp", "run", *(word for each in settings for word in ("-S", each)), "resolve")


def experiment(project: Path, settings: list[str]) -> dict[str, Any]:
    """The parameters in force after `dvc exp run -S ... resolve`; the working copy is as before."""
    try:
        experiment_run(project, settings)
        return load_params(project).model_dump()
    finally:
        run(project, "git", "checkout", "-q", ".")


def test_every_parameter_of_every_profile_can_be_set(project: Path) -> None:
    """Each is set to the value of `mini`: to another one than the profile's, or to the same, also to the default's.

    DVC writes the same settings whatever the profile, so it writes them once.
    """
    mini = params_of(user_params()).model_dump()
    settings = [override(key, value) for key, value in leaves(mini) if key != "profile"]
    assert len(settings) > 130
    experiment_run(project, ["profile=flux2-klein", *settings])
    in_force, set_by_dvc = load_params(project).model_dump(), read_yaml(project / "params.yaml")
    run(project, "git", "checkout", "-q", ".")
    assert in_force == mini | {"profile": "flux2-klein"} and set_by_dvc["profile"] == "flux2-klein"
    for profile in NAMES:
        assert params_of(set_by_dvc | {"profile": profile}).model_dump() == mini | {"profile": profile}, profile


def test_one_setting_wins_over_the_profile_and_changes_one_line(project: Path) -> None:
    # Without its networks the profile's detector would be refused, and the miniature's source always is.
    found = experiment(project, ["profile=sd3-medium", "train.steps=7", *BARE])
    assert found["train"]["steps"] == 7 and found["base"]["name"] == "sd3-medium" and found["train"]["rank"] == 16
    assert experiment(project, ["profile=sd3-medium", "train.steps=700", *BARE])["train"]["steps"] == 700
    run(project, "dvc", "exp", "run", "-S", "train.rank=8", "resolve")
    numbers = run(project, "git", "diff", "--numstat", "params.yaml").stdout.split()
    run(project, "git", "checkout", "-q", ".")
    assert numbers[:2] == ["1", "1"]


def test_a_quick_run_is_a_setting_like_any_other_and_other_settings_win_over_it(project: Path) -> None:
    found = experiment(project, ["level=quick", "train.steps=300"])
    assert found["level"] == "quick" and found["train"]["steps"] == 300
    assert found["sample"]["target_seeds_per_prompt"] == 8 and found["sample"]["steps"] == 20
    refused = run(project, "dvc", "exp", "run", "-S", "level=fast", "resolve", check=False)
    run(project, "git", "checkout", "-q", ".")
    assert refused.returncode and "level = 'fast': input should be 'full' or 'quick'" in refused.stderr


def test_resolve_says_what_a_run_takes(project: Path) -> None:
    said = run(project, "dvc", "exp", "run", "-S", "level=quick", "resolve").stdout
    run(project, "git", "checkout", "-q", ".")
    # A block of 16 samples of each of nine prompts and two models, and a block of class images of each of five, of 40
    # evaluations each; 100 steps of 12 images; 12 images and two times 16 draws while training.
    evaluations = (288 + 80) * 40 + 1200 + 12 * 40 + 32
    assert "profile mini, level quick" in said
    assert f"a whole run: 288 samples, {evaluations:,} model evaluations" in said


def test_a_key_that_is_not_a_parameter_is_refused_by_dvc_repro(project: Path) -> None:
    run(project, "dvc", "repro", "resolve")
    path = project / "params.yaml"
    text = path.read_text()
    path.write_text(f"{text}\ntrian:\n  rank: 32\n")
    refused = run(project, "dvc", "repro", "resolve", check=False)
    path.write_text(text)
    assert refused.returncode and "params.yaml: trian is not a parameter" in refused.stderr
    run(project, "git", "checkout", "-q", ".")


BARE = ["collect.source=openai", "measure.detector=none", "class_images.detector=none", "losers.detector=none"]
