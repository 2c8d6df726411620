"""The command writes what the hub, ComfyUI and diffusers load, or refuses in one sentence."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import StableDiffusion3Pipeline
from huggingface_hub import ModelCard
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from anomend.diffusion.lora_folder import WEIGHT_NAME
from anomend.exporting.finished_run import FinishedRun
from anomend.exporting.hub import write_hub_folder
from anomend.project.metric_files import read_metrics, write_metrics
from commands import export_lora
from tests.conftest import ROOT
from tests.diffusion.tiny import tiny_transformer
from tests.exporting.conftest import train_lora, write_lock, write_train_metrics

PARTS = ("scheduler", "vae", "text_encoder", "tokenizer", "text_encoder_2", "tokenizer_2")


def metadata(file: str) -> dict[str, str]:
    with safe_open(file, framework="pt") as handle:
        return dict(handle.metadata())


def test_the_hub_folder_is_complete(project: Path) -> None:
    export_lora.main(["--hub-folder", "hub", "--out", "weights/lora.safetensors", "--card", "cards/card.md"])
    names = {path.name for path in Path("hub").iterdir()}
    assert names == {WEIGHT_NAME, "README.md", "comfyui.safetensors", "side_by_side.png"}
    assert Path("hub", WEIGHT_NAME).read_bytes() == Path("models/lora", WEIGHT_NAME).read_bytes()
    assert Path("hub/comfyui.safetensors").read_bytes() == Path("weights/lora.safetensors").read_bytes()
    assert "lora_unet_joint_blocks_1_x_block_attn_qkv.alpha" in load_file("weights/lora.safetensors")
    assert metadata("weights/lora.safetensors")["modelspec.license"] == "MIT"
    card = ModelCard.load("hub/README.md")
    assert card.data.to_dict()["model-index"] == ModelCard.load("cards/card.md").data.to_dict()["model-index"]
    assert f"`{read_metrics(Path('metrics/train.json'))['lora_sha256']}`" in card.text
    for name in names:
        assert f"({name})" in card.text or f"`{name}`" in card.text or name == "README.md"
    umask = os.umask(0)
    os.umask(umask)
    assert {path.stat().st_mode & 0o777 for path in Path("hub").iterdir()} == {0o666 & ~umask}


def test_diffusers_finds_its_own_file_among_the_folders(project: Path) -> None:
    export_lora.main(["--hub-folder", "hub"])
    pipeline = StableDiffusion3Pipeline(
        transformer=tiny_transformer(), **dict.fromkeys((*PARTS, "text_encoder_3", "tokenizer_3"))
    )
    pipeline.load_lora_weights("hub")
    layer = pipeline.transformer.transformer_blocks[0].attn.to_q
    weights = load_file(Path("models/lora", WEIGHT_NAME))
    key = "transformer.transformer_blocks.0.attn.to_q.lora_"
    expected = 2.0 * weights[f"{key}B.weight"] @ weights[f"{key}A.weight"]
    torch.testing.assert_close(next(iter(layer.scaling.values())), 2.0)
    torch.testing.assert_close(layer.get_delta_weight(next(iter(layer.scaling))).detach(), expected)


def test_what_the_licence_asks_for_goes_along(project: Path, make_run: Callable[..., FinishedRun]) -> None:
    to_do = write_hub_folder(Path("models/lora"), Path("hub"), make_run("sd3.5-large"))
    assert "licensed under the Stability AI Community License, Copyright ©" in Path("hub/NOTICE").read_text()
    assert to_do == ["Add a copy of the Stability AI Community License to hub before you upload it."]
    assert write_hub_folder(Path("models/lora"), Path("hub"), make_run()) == []
    assert not Path("hub/NOTICE").exists()


@pytest.mark.filterwarnings("ignore:Adapter 'default'")
def test_a_lora_that_comfyui_cannot_carry_still_goes_to_the_hub(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export_lora.main(["--hub-folder", "hub"])
    write_train_metrics(project, use_dora=True)
    export_lora.main(["--hub-folder", "hub"])
    assert {path.name for path in Path("hub").iterdir()} == {WEIGHT_NAME, "README.md", "side_by_side.png"}
    assert "this LoRA was trained with DoRA" in capsys.readouterr().out
    with pytest.raises(ValueError, match="trained with DoRA"):
        export_lora.main(["--out", "x.safetensors"])


def test_a_lora_that_is_not_finite_does_not_go_to_the_hub(project: Path) -> None:
    weights = load_file(Path("models/lora") / WEIGHT_NAME)
    next(iter(weights.values())).view(-1)[0] = float("nan")
    run = export_lora.finished_run(Path("models/lora"))
    save_file(weights, Path("models/lora") / WEIGHT_NAME)
    with pytest.raises(ValueError, match=rf"{WEIGHT_NAME}: .* is not finite .*: train it again"):
        write_hub_folder(Path("models/lora"), Path("hub"), run)
    assert not Path("hub").exists()


def test_a_picture_of_another_run_stays_behind(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("report/side_by_side.png").write_bytes(b"another")
    export_lora.main(["--hub-folder", "hub"])
    assert not Path("hub/side_by_side.png").exists() and "![" not in Path("hub/README.md").read_text()
    assert "the card has no picture: report/side_by_side.png is not what stage report wrote" in capsys.readouterr().err


def test_a_lora_without_a_run_is_written_without_base_and_licence(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sha256 = train_lora(project / "elsewhere", use_rslora=True)
    export_lora.main(["--lora", "elsewhere", "--out", "x.safetensors"])
    assert "will not name base and licence: metrics/train.json is about another LoRA" in capsys.readouterr().err
    assert metadata("x.safetensors") == {"diffusers_lora_sha256": sha256}
    export_lora.main(["--from-kohya", "x.safetensors", "back"])
    assert "back: 4 modules" in capsys.readouterr().out
    weights = load_file(Path("back", WEIGHT_NAME))
    original = load_file(Path("elsewhere", WEIGHT_NAME))
    key = "transformer.transformer_blocks.1.attn.to_v.lora_"
    change = 4 / 2**0.5 * original[f"{key}B.weight"] @ original[f"{key}A.weight"]
    torch.testing.assert_close(weights[f"{key}B.weight"] @ weights[f"{key}A.weight"], change)


def test_a_card_is_never_of_two_runs(project: Path) -> None:
    def changed(lock: dict[str, Any]) -> None:
        lock["stages"]["sample_tuned"]["deps"][0]["md5"] = "another.dir"

    write_lock(project, changed)
    with pytest.raises(ValueError, match="sample_tuned ran on another models/lora than stage train wrote"):
        export_lora.main(["--card", "card.md"])
    train = read_metrics(Path("metrics/train.json"))
    write_metrics(Path("metrics/train.json"), train | {"lora_sha256": "0" * 64}, train["provenance"])
    write_lock(project)
    with pytest.raises(ValueError, match="is about another LoRA"):
        export_lora.main(["--card", "card.md"])
    assert not Path("card.md").exists()


def test_mistakes_are_refused(project: Path) -> None:
    with pytest.raises(SystemExit):
        export_lora.main([])
    with pytest.raises(FileNotFoundError, match=r"nowhere.* is missing: run `dvc repro train`"):
        export_lora.main(["--lora", "nowhere", "--out", "x.safetensors"])
    for option in ("--hub-folder", "--out", "--card"):
        with pytest.raises(ValueError, match="a DVC output: write elsewhere"):
            export_lora.main([option, "models/lora/x" if option != "--hub-folder" else "models/lora"])
    Path("metrics/verdict.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"verdict\.json is missing"):
        export_lora.main(["--card", "card.md"])
    assert not Path("card.md").exists() and not Path("x.safetensors").exists()


@pytest.mark.slow
def test_the_command_ends_in_one_sentence(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "commands.export_lora",
        "--lora",
        str(tmp_path),
        "--out",
        str(tmp_path.parent / "x"),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and not done.stdout
    assert "is missing: run `dvc repro train`" in done.stderr and "Traceback" not in done.stderr
