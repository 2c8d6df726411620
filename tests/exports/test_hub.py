"""The card that the hub's own library reads back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import ModelCard

from stages.diffusion.lora import WEIGHT_NAME
from stages.exports.hub import card_with_results, export_hub_folder
from stages.params import resolve
from stages.reports.model_card import lora_card
from tests.conftest import ROOT


@pytest.fixture
def results() -> list[dict[str, Any]]:
    return [json.loads((ROOT / "metrics" / f"{name}.json").read_text()) for name in ("compare", "verdict")]


def test_the_card_states_base_prompts_licence_and_seeds(raw_params: dict[str, Any]) -> None:
    params = resolve(raw_params | {"profile": "sd3-medium"})
    text = lora_card(params, "weights", "Some Licence", 5, "stabilityai/stable-diffusion-3-medium-diffusers")
    data = ModelCard(text).data.to_dict()
    assert data["base_model"] == "stabilityai/stable-diffusion-3-medium-diffusers"
    assert data["library_name"] == "diffusers" and data["license_name"] == "Some Licence"
    assert [entry["text"] for entry in data["widget"]] == ["lying on the grass", "lying on the street"]
    assert "judged at seeds 20000 to 20127" in text


def test_the_results_are_the_hubs_own_evaluation_results(
    raw_params: dict[str, Any], results: list[dict[str, Any]]
) -> None:
    card = lora_card(resolve(raw_params), "weights", "MIT", 5)
    finished = card_with_results(card, "anomend-mini", *results)
    found = ModelCard(finished)
    rates = {entry.metric_type: entry.metric_value for entry in found.data.eval_results or []}
    for measure in ("anomaly_rate_target", "anomaly_rate_held_out"):
        assert rates[measure] == results[0][measure]["tuned"]
    assert f"Verdict: **{results[1]['verdict']}**" in found.text and "## Results" in found.text


def test_a_folder_without_a_lora_is_named(tmp_path: Path, results: list[dict[str, Any]]) -> None:
    with pytest.raises(ValueError, match="run `dvc repro train`"):
        export_hub_folder(tmp_path, tmp_path / "out", *results)
    (tmp_path / WEIGHT_NAME).write_bytes(b"weights")
    (tmp_path / "README.md").write_text("---\nlibrary_name: diffusers\n---\n# A LoRA\n")
    export_hub_folder(tmp_path, tmp_path / "out", *results)
    assert (tmp_path / "out" / WEIGHT_NAME).read_bytes() == b"weights"
    assert ModelCard.load(tmp_path / "out" / "README.md").data.library_name == "diffusers"
