"""The card that the training stage writes beside the LoRA, as the hub's own library reads it."""

from __future__ import annotations

from typing import Any

from huggingface_hub import ModelCard

from anomend.reporting.model_card import lora_card
from tests.parameters import params_of


def test_the_card_states_base_prompts_licence_and_seeds(raw_params: dict[str, Any]) -> None:
    params = params_of(raw_params | {"profile": "sd3-medium"})
    text = lora_card(params, "weights", "Some Licence", 5, "stabilityai/stable-diffusion-3-medium-diffusers")
    data = ModelCard(text).data.to_dict()
    assert data["base_model"] == "stabilityai/stable-diffusion-3-medium-diffusers"
    assert data["library_name"] == "diffusers" and data["license_name"] == "Some Licence"
    assert [entry["text"] for entry in data["widget"]] == ["lying on the grass", "lying on the street"]
    assert "judged at seeds 20000 to 20127" in text
