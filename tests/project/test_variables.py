"""Variables of the libraries: none changes a result in silence."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from anomend.project.metric_files import read_metrics
from anomend.project.run import run_stage
from anomend.project.variables import REFUSED, recorded, settle
from anomend.purchasing.environment import other_addresses


@pytest.mark.parametrize(
    ("variable", "value", "fix"),
    [
        ("ACCELERATE_MIXED_PRECISION", "bf16", "set base.dtype"),
        ("ACCELERATE_GRADIENT_ACCUMULATION_STEPS", "4", "set train.micro_batch_size"),
        ("ACCELERATE_DYNAMO_BACKEND", "INDUCTOR", "set train.compile"),
        ("ACCELERATE_USE_DEEPSPEED", "true", "such as FSDP"),
        ("NVIDIA_TF32_OVERRIDE", "1", "unset it"),
        ("TORCH_ALLOW_TF32_CUBLAS_OVERRIDE", "1", "unset it"),
        ("CUBLAS_WORKSPACE_CONFIG", ":0:0", "unset it"),
        ("TORCHINDUCTOR_USE_FAST_MATH", "1", "unset it"),
    ],
)
def test_a_variable_that_would_change_the_result_stops_the_stage(
    variable: str,
    value: str,
    fix: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(variable, value)
    with pytest.raises(SystemExit) as ended:
        run_stage("train", lambda: pytest.fail("it ran"))
    said = capsys.readouterr().err
    assert ended.value.code == 1 and f"{variable} = '{value}'" in said and fix in said and said.count("\n") == 1


@pytest.mark.slow
def test_what_accelerate_itself_sets_for_a_plain_launch_is_allowed(tmp_path: Path) -> None:
    script = f"import os, json; json.dump(dict(os.environ), open({str(tmp_path / 'environment.json')!r}, 'w'))"
    (tmp_path / "script.py").write_text(script)
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--cpu", "--num_processes", "1"]
    words = [*launch, "--mixed_precision", "no", str(tmp_path / "script.py")]
    subprocess.run(words, cwd=tmp_path, check=True, capture_output=True, env=os.environ | {"HF_HOME": str(tmp_path)})
    environment = read_metrics(tmp_path / "environment.json")
    assert "ACCELERATE_MIXED_PRECISION" in environment
    settle(environment)


@pytest.mark.slow
def test_accelerate_divides_the_loss_by_the_steps_that_we_refuse() -> None:
    """Why the variable is refused: accelerate obeys it although the code asks for one step."""
    script = (
        "import torch; from accelerate import Accelerator; a = Accelerator(cpu=True, mixed_precision='no');"
        "x = torch.ones(1, requires_grad=True); a.backward(x.sum()); print(x.grad.item())"
    )
    gradients = [
        subprocess.run(
            [sys.executable, "-c", script],
            env=os.environ | {"ACCELERATE_GRADIENT_ACCUMULATION_STEPS": steps, "ACCELERATE_USE_CPU": "true"},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for steps in ("1", "4")
    ]
    assert gradients == ["1.0", "0.25"]


def test_what_changes_only_rounding_or_the_source_is_recorded_and_no_secret_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    values = {
        "OMP_NUM_THREADS": "3",
        "HF_ENDPOINT": "https://me:secret@mirror.example/hub",
        "DIFFUSERS_ATTN_BACKEND": "native",
        "TORCHINDUCTOR_MAX_AUTOTUNE": "1",
        "PYTHONHASHSEED": "7",
        "NVIDIA_TF32_OVERRIDE": "0",
        "HF_TOKEN": "hf_secret",
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    run_stage("compare", lambda: None)
    noted = read_metrics(tmp_path / "metrics" / "resources" / "compare.json")["variables"]
    assert noted["HF_ENDPOINT"] == "https://mirror.example/hub" and "HF_TOKEN" not in noted
    assert values.keys() - noted.keys() == {"HF_TOKEN"}


def test_what_the_project_needs_is_set_and_a_users_harmless_value_stays() -> None:
    environment = {"CUBLAS_WORKSPACE_CONFIG": ":16:8"} | {name: rule.harmless[0] for name, rule in REFUSED.items()}
    settle(environment)
    assert environment["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8" and environment["TOKENIZERS_PARALLELISM"] == "false"
    environment = {"CUBLAS_WORKSPACE_CONFIG": ":16:8"}
    settle(environment)
    assert environment["CUBLAS_WORKSPACE_CONFIG"] == ":16:8" and "CUBLAS_WORKSPACE_CONFIG" in recorded(environment)


def test_answers_of_another_server_than_the_vendors_say_so_in_the_provenance() -> None:
    assert other_addresses({}) == {}
    told = other_addresses({"OPENAI_BASE_URL": "http://me:secret@proxy.example:8080/v1?key=1"})
    assert told == {"openai_host": "proxy.example"}
