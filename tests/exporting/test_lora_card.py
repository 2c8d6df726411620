"""The card that the training stage writes next to the LoRA, as the hub's own library reads it."""

from __future__ import annotations

from typing import Any

from huggingface_hub import ModelCard

from anomend.diffusion.bases import BASE_MODELS
from anomend.exporting.lora_card import lora_card
from tests.parameters import params_of


def card_of(raw_params: dict[str, Any], base: str) -> ModelCard:
    return ModelCard(lora_card(params_of(raw_params), BASE_MODELS[base], base_weights="weights", instance_images=5))


def test_the_card_states_base_prompts_licence_and_seeds(raw_params: dict[str, Any]) -> None:
    card = card_of(raw_params | {"profile": "sd3-medium"}, "sd3-medium")
    data = card.data.to_dict()
    assert data["base_model"] == "stabilityai/stable-diffusion-3-medium-diffusers"
    assert data["library_name"] == "diffusers"
    assert (data["license"], data["license_name"]) == ("other", "stabilityai-ai-community")
    assert [entry["text"] for entry in data["widget"]] == ["lying on the grass", "lying on the street"]
    assert "judged at seeds 20000 to 20127" in card.text and "| instance images | 5 |" in card.text


def test_the_miniature_is_under_the_mit_licence(raw_params: dict[str, Any]) -> None:
    data = card_of(raw_params, "mini").data.to_dict()
    assert data["license"] == "mit" and "license_name" not in data and "base_model" not in data


def test_a_prompt_with_quotes_is_a_string_in_the_example(raw_params: dict[str, Any]) -> None:
    prompt = 'a "quoted" \\ prompt'
    raw_params["prompts"] |= {"target": [prompt]}
    text = card_of(raw_params, "mini").text
    call = text.split("image = pipe(")[1].split(", num_inference_steps")[0]
    assert eval(call) == prompt


def test_a_lora_that_the_run_samples_in_another_way_says_so(raw_params: dict[str, Any]) -> None:
    assert "sample.tuned" not in card_of(raw_params, "mini").text
    raw_params["sample"]["tuned"] = {"negative_prompt": "extra limbs"}
    assert "`sample.tuned` in `resolved/params.json`" in card_of(raw_params, "mini").text
