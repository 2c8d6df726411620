"""A base in a folder: what identifies it, and what is said where it is damaged."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from anomend.diffusion.base_models import (
    fingerprint,
    load_denoiser,
    load_latent_format,
    load_text_encoders,
)
from tests.conftest import ROOT

MINI = ROOT / "models" / "mini"
WEIGHTS = "diffusion_pytorch_model.safetensors"


@pytest.mark.parametrize("name", ["transformer/config.json", "tokenizer/spiece.model"])
def test_a_change_behind_a_link_or_in_a_tokenizer_is_another_base(tmp_path: Path, name: str) -> None:
    part, _, file = name.partition("/")
    elsewhere, base = tmp_path / "elsewhere", tmp_path / "base"
    shutil.copytree(MINI, base)
    (base / part).rename(elsewhere)
    (base / part).symlink_to(elsewhere)
    (elsewhere / "around").symlink_to(base)
    (elsewhere / file).write_text("{}")
    before = fingerprint("mini", str(base))
    (elsewhere / file).write_text("{ }")
    assert fingerprint("mini", str(base)) != before
    (elsewhere / file).write_text("{}")
    assert fingerprint("mini", str(base)) == before


def test_links_do_not_change_what_a_base_is(tmp_path: Path) -> None:
    shutil.copytree(MINI, tmp_path / "base")
    (tmp_path / "base/vae").rename(tmp_path / "vae")
    (tmp_path / "base/vae").symlink_to(tmp_path / "vae")
    assert fingerprint("mini", str(tmp_path / "base")) == fingerprint("mini", str(MINI))


def cut(name: str) -> Callable[[Path], object]:
    return lambda base: (base / name).write_bytes((base / name).read_bytes()[:100])


@pytest.mark.parametrize("name", ["run403", "gated_base", "offline cached", "resolved/connected"])
@pytest.mark.parametrize("damage", [cut(f"transformer/{WEIGHTS}"), cut("transformer/config.json")])
def test_a_damaged_base_in_a_folder_is_not_blamed_on_the_hub(
    tmp_path: Path, name: str, damage: Callable[[Path], object]
) -> None:
    base = tmp_path / name
    shutil.copytree(MINI, base)
    damage(base)
    with pytest.raises(ValueError) as refused:
        load_denoiser("mini", str(base), "float32")
    said = str(refused.value)
    assert said.startswith(f"{base} cannot be loaded (") and len(said.splitlines()) == 1
    assert said.endswith("): get its files again, or set base.local_folder to another copy")


def test_a_damaged_text_encoder_is_not_blamed_on_checkpoints(tmp_path: Path) -> None:
    shutil.copytree(MINI, tmp_path / "base")
    cut("text_encoder/model.safetensors")(tmp_path / "base")
    with pytest.raises(
        ValueError, match=r"base cannot be loaded \(Error while deserializing header.*: get its files ag"
    ):
        load_text_encoders("mini", str(tmp_path / "base"), "float32")


@pytest.mark.parametrize(
    ("content", "says"), [("{", "is not valid JSON"), ("\ufeff{}", "is not v"), ("[]", "is not a J")]
)
def test_a_damaged_index_is_named(tmp_path: Path, content: str, says: str) -> None:
    shutil.copytree(MINI, tmp_path / "base")
    (tmp_path / "base/model_index.json").write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match=rf"base/model_index\.json {says}.*: get the base's files again"):
        load_denoiser("mini", str(tmp_path / "base"), "float32")


def test_a_vae_that_does_not_say_its_scale_is_named(tmp_path: Path) -> None:
    shutil.copytree(MINI, tmp_path / "base")
    config = tmp_path / "base/vae/config.json"
    values = json.loads(config.read_text())
    del values["scaling_factor"]
    config.write_text(json.dumps(values))
    with pytest.raises(ValueError, match=r"base has no scaling_factor in vae/config\.json"):
        load_latent_format("mini", str(tmp_path / "base"))
