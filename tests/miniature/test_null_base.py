"""The null base: the miniature's frozen parts, and a transformer that draws the planted prompts right."""

from __future__ import annotations

import pytest

from anomend.diffusion.base_models import load_pipeline
from anomend.diffusion.sampling import sample_images
from anomend.miniature.anatomy import check
from anomend.miniature.defects import DEFECTIVE
from anomend.miniature.pipeline import T5_TOKENS
from anomend.project.files import sha256_of
from tests.conftest import ROOT
from tests.parameters import params_of, user_params

pytestmark = pytest.mark.slow
NULL, BASE = ROOT / "models/mini_null", ROOT / "models/mini"


def test_only_the_transformer_is_another_one() -> None:
    files = {path.relative_to(BASE) for path in BASE.rglob("*") if path.is_file()}
    assert files == {path.relative_to(NULL) for path in NULL.rglob("*") if path.is_file()}
    differ = {str(name) for name in files if sha256_of(BASE / name) != sha256_of(NULL / name)}
    # A part's configuration has the folder that it was loaded from.
    assert {name for name in differ if not name.endswith("config.json")} == {
        "README.md",
        "transformer/diffusion_pytorch_model.safetensors",
    }
    assert sum(path.stat().st_size for path in NULL.rglob("*")) < 9e6


def test_the_planted_prompts_are_drawn_right_with_the_profiles_settings() -> None:
    """Eight seeds each; of the embedded base's images four in five are anomalous. Ten seconds."""
    params = params_of(user_params() | {"profile": "mini-null"})
    pipeline = load_pipeline("mini", params.base.local_folder, "float32")
    prompts = [f"{posture} on the {place}" for posture, place in DEFECTIVE]
    images = sample_images(
        pipeline,
        [(prompt, seed) for prompt in prompts for seed in range(8)],
        steps=params.sample.steps,
        guidance_scale=params.sample.guidance_scale,
        resolution=params.base.resolution,
        max_sequence_length=T5_TOKENS,
        batch_size=24,
    )
    # At a rate of 20%, twelve or more of 24 come up once in a thousand times.
    assert sum(check(image).anomalous for image in images) < 12
