"""Which family a base is of, what is refused, and that families that are not selected do not count."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any, get_args

import pytest

from anomend.diffusion.base_models import fingerprint, load_pipeline, pinned_revision
from anomend.diffusion.bases import BASE_MODELS
from anomend.exporting.trainer_configs import FAMILIES as TRAINERS
from anomend.families.table import FAMILIES, family_named, family_of
from anomend.params.diffusion import BaseModelParams
from anomend.params.profiles import merge
from anomend.pipeline.checks import check_before_run
from anomend.pipeline.plugins import OF_THE_BASE, plugins
from anomend.project.paths import PRICES, RETIRED_MODELS
from studies.rehearsal.family import SHAPES
from tests.conftest import ROOT
from tests.diffusion.tiny import tiny_transformer
from tests.families.tiny_bases import BASES
from tests.parameters import params_of, user_params

COMMIT = "0123456789abcdef0123456789abcdef01234567"
SD3 = "StableDiffusion3Pipeline"
OTHERS = [name for name, base in BASE_MODELS.items() if base.pipeline != SD3]
"""Bases of other families; each has a profile of its name."""
UNPINNED = [name for name in OTHERS if BASE_MODELS[name].revision is None]


def of(profile: str, **changes: Any) -> Any:
    return params_of(merge(user_params() | {"profile": profile}, changes))


def check(profile: str, **changes: Any) -> None:
    bare = {
        "collect": {"source": "openai"},
        "measure": {"detector": "none"},
        "class_images": {"detector": "none"},
        "losers": {"detector": "none"},
        "base": {"quantise": "none", "t5_8bit": False},
    }
    params = of(profile, **merge(bare, changes))
    check_before_run(params, root=ROOT, prices=ROOT / PRICES, retired_models=ROOT / RETIRED_MODELS)


def test_every_base_is_of_a_family_whose_classes_diffusers_and_transformers_have() -> None:
    assert {base.pipeline for base in BASE_MODELS.values()} == set(FAMILIES)
    for pipeline in FAMILIES:
        family = family_named(pipeline)
        assert family.pipeline == pipeline == family.pipeline_class().__name__
        assert family.transformer_class().__name__ == family.transformer
        assert family.large_text_encoder_class().__name__ == family.large_text_encoder[1]
    assert family_of(tiny_transformer()).pipeline == SD3
    with pytest.raises(ValueError, match="bases of diffusers' dict are not supported: choose one of Stable"):
        family_of({})


@pytest.mark.parametrize("name", BASE_MODELS)
def test_no_base_lacks_a_part_of_the_recipe(name: str) -> None:
    """CONTRIBUTING.md, "A base model" and "A family of base models"."""
    base = BASE_MODELS[name]
    assert name in get_args(BaseModelParams.model_fields["name"].annotation), "base.name, anomend/params/diffusion.py"
    assert name in TRAINERS, "FAMILIES, anomend/exporting/trainer_configs.py"
    assert base.billions or not base.on_hub, "billions, anomend/diffusion/bases.py"
    if base.on_hub:
        profile = ROOT / "profiles" / f"{name.replace('.', '')}.yaml"
        assert profile.is_file(), profile
        assert f"| `{base.pipeline}` |" in (ROOT / "docs" / "families.md").read_text(), "docs/families.md"
    if base.on_hub and base.pipeline != SD3:
        assert name in BASES, "BASES, tests/families/tiny_bases.py"
        assert (SHAPES / f"{name}.yaml").is_file(), "studies/rehearsal/shapes"


@pytest.mark.parametrize("name", UNPINNED)
def test_a_base_without_a_commit_is_refused_before_anything_is_drawn(name: str) -> None:
    with pytest.raises(ValueError, match=rf"base.name = '{name}' has no pinned commit here.*set base\.revision to the"):
        check(name)
    check(name, base={"revision": COMMIT})
    assert fingerprint(name, None, COMMIT) == f"{BASE_MODELS[name].source}@{COMMIT}"
    with pytest.raises(ValueError, match="no pinned commit"):
        fingerprint(name, None)
    with pytest.raises(ValueError, match=r"base\.revision = 'main': string should match"):
        check(name, base={"revision": "main"})


def test_every_base_on_the_hub_but_one_is_pinned_to_a_whole_commit() -> None:
    assert UNPINNED == ["chroma"]
    pinned = {name: base.revision for name, base in BASE_MODELS.items() if base.on_hub and name not in UNPINNED}
    assert all(re.fullmatch("[0-9a-f]{40}", revision or "") for revision in pinned.values()), pinned
    check("z-image")
    assert fingerprint("z-image", None) == f"Tongyi-MAI/Z-Image@{pinned['z-image']}"
    assert fingerprint("z-image", None, COMMIT) == f"Tongyi-MAI/Z-Image@{COMMIT}"


def test_a_commit_is_of_the_hub() -> None:
    assert pinned_revision("sd3-medium", None, COMMIT) == COMMIT
    assert pinned_revision("sd3-medium", None) == BASE_MODELS["sd3-medium"].revision
    with pytest.raises(ValueError, match=r"base\.name = 'mini' is a folder: leave one of them out"):
        pinned_revision("mini", None, COMMIT)
    with pytest.raises(ValueError, match=r"base\.local_folder = 'x' is a folder"):
        pinned_revision("sd3-medium", "x", COMMIT)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"train": {"target_modules": ["to_kk"]}}, r"names 'to_kk' .*the transformer of Z-Image does not have"),
        ({"train": {"target_modules": ["add_q_proj"]}}, "names 'add_q_proj'"),
        (
            {"train": {"compile": "whole", "gradient_checkpointing": False}},
            "train.compile = 'whole' cannot capture the transformer of Z-Image: set it to blocks or none",
        ),
        ({"sample": {"tuned": {"skip_layers": {"layers": [1]}}}}, "ZImagePipeline has no skip-layer guidance: set it"),
    ],
)
def test_what_a_family_cannot_do_is_refused_at_once(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        check("z-image", **merge({"base": {"revision": COMMIT}}, changes))


def test_a_folder_of_another_family_is_named_with_the_bases_that_it_may_be(tmp_path: Path) -> None:
    mini = tmp_path / "mini"
    shutil.copytree(ROOT / "models" / "mini", mini)
    with pytest.raises(
        ValueError, match=r"mini holds diffusers' StableDiffusion3Pipeline, and base\.name = 'z-image' is"
    ):
        load_pipeline("z-image", str(mini), "float32")


@pytest.mark.parametrize("name", ["mini", *OTHERS])
def test_the_family_of_the_selected_base_counts_as_code_and_no_other(name: str) -> None:
    selected = plugins(of(name))
    families = {stage: {each for each in modules if ".families." in each} for stage, modules in selected.items()}
    own = {FAMILIES[BASE_MODELS[name].pipeline]}
    assert {stage for stage, found in families.items() if found} == OF_THE_BASE - {"collect"}
    assert all(found == own for stage, found in families.items() if stage in OF_THE_BASE - {"collect"})
    assert plugins(of(name, collect={"source": "base", "base": {"detector": "photographs"}}))["collect"] >= own
