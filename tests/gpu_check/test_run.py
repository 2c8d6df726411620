"""The check of a GPU, tried with shrunk shapes on the CPU: rows that work, fail, hang, and are not reached."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from anomend.params.profiles import merge, read_profile, validated
from studies.gpu_check import run
from studies.gpu_check.models import SHAPES, params_of
from studies.gpu_check.rows import ROWS, Row
from studies.gpu_check.sampling import decode, texts
from studies.rehearsal.random_base import SD35_LARGE, SD35_MEDIUM, SHRUNK, parameter_counts, random_component
from tests.conftest import ROOT

CPU = torch.device("cpu")


def measured(rows: list[Row], folder: Path, budget: float = 200) -> dict:
    out = folder / "gpu.json"
    results = run.check(rows, device="cpu", tiny=True, budget=budget, out=out, folder=folder)
    assert {name: json.loads(out.read_text())[name] for name in results} == results
    return results


@pytest.mark.slow
@pytest.mark.usefixtures("warm_interpreter")
def test_steps_images_and_a_run_that_is_killed_and_resumed(tmp_path: Path) -> None:
    results = measured([row for row in ROWS if row.tiny], tmp_path)
    assert {name: result["state"] for name, result in results.items()} == dict.fromkeys(results, "done"), results
    step, image, resumed = (results[name] for name in ("train_published", "sample_4", "kill_and_resume"))
    # Of 2 blocks of width 16: rank 128 in the image's and the text's projections and in both feed-forwards.
    assert (step["images_per_step"], step["rank"], step["trainable_parameters"]) == (3, 128, 102400)
    assert step["seconds_per_step"] > 0 and step["peak_memory_bytes"] > 2**26
    assert image["seconds_per_image"] > 0 and image["sampling_steps"] == 40
    assert 0 < resumed["resumed_after"] < resumed["steps"] and resumed["same_bytes"] is True
    assert resumed["largest_difference"] == 0 and resumed["largest_weight"] > 0


def test_a_row_that_fails_or_hangs_costs_itself_alone(tmp_path: Path) -> None:
    broken = Row(name="broken", kind="no such kind")
    hanging = Row(name="hanging", kind="train", settings=ROWS[0].settings, limit=0.3)
    results = measured([broken, hanging], tmp_path)
    assert results["broken"]["state"] == "failed" and "no such kind" in results["broken"]["reason"]
    assert results["hanging"]["state"] == "timed out"
    provenance = json.loads((tmp_path / "gpu.json").read_text())["provenance"]
    assert provenance["torch"] == torch.__version__ and provenance["shapes"] == "shrunk"


def test_rows_beyond_the_budget_are_not_reached(tmp_path: Path) -> None:
    assert measured([ROWS[0]], tmp_path, budget=run.SHORTEST - 1) == {ROWS[0].name: {"state": "not reached"}}


def test_a_lack_of_memory_is_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = "import sys; sys.exit('torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB')"
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{script}"\n')
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    assert measured([ROWS[0]], tmp_path)[ROWS[0].name]["state"] == "out of memory"


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_without_a_gpu_it_says_so_in_one_sentence() -> None:
    words = [sys.executable, "-m", "studies.gpu_check.run"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith("gpu-check: torch sees no GPU here") and done.stderr.count("\n") == 1


def test_packages_come_from_a_folder_of_wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import zipfile

    with zipfile.ZipFile(tmp_path / "brought-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("brought.py", "answer = 42\n")
        wheel.writestr("brought-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: brought\nVersion: 1.0\n")
        wheel.writestr("brought-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("brought-1.0.dist-info/RECORD", "brought.py,,\n")
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("PYTHONPATH", "before")
    run.install(tmp_path, tmp_path / "packages")
    code = "import brought; print(brought.answer)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout == "42\n"
    with pytest.raises(ValueError, match="has no wheels"):
        run.install(tmp_path / "packages", tmp_path / "other")


def test_transformers_have_their_published_sizes() -> None:
    # Stability AI's file of Medium has 4.94 GB in 16 bits, with its table of positions; Large, 8.1 billion parameters.
    positions = 384**2 * 1536
    assert 2 * (parameter_counts(SD35_MEDIUM)["transformer"] + positions) / 1e9 == pytest.approx(4.94, abs=0.005)
    assert parameter_counts(SD35_LARGE)["transformer"] / 1e9 == pytest.approx(8.1, abs=0.1)


def test_rows_have_names_of_their_own_and_settings_that_the_profiles_take() -> None:
    assert len({row.name for row in ROWS}) == len(ROWS)
    for row in ROWS:
        if row.kind == "train":
            values = read_profile(row.settings["base"], ROOT / "profiles")
            validated({"profile": "x"} | merge(values, {"train": row.settings["changes"]}))
    assert all(params_of(base, False).base.resolution == 1024 for base in SHAPES)


def test_text_encoders_and_the_decoder_run() -> None:
    encoded, decoded = (
        texts(base="sd3-medium", tiny=True, device=CPU),
        decode(base="sd3-medium", batch_size=2, tiny=True, device=CPU),
    )
    assert encoded["tokens"] == 154 and encoded["seconds"] > 0 and decoded["batch_size"] == 2


def test_a_text_encoder_made_on_a_device_numbers_its_places() -> None:
    encoder = random_component(SHRUNK, "text_encoder", 0, "cpu")
    places = [module.position_ids for module in encoder.modules() if "position_ids" in module._buffers]
    assert [place.tolist() for place in places] == [[list(range(77))]]
