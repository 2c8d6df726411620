"""The model card: metadata and results as the hub reads them, and a text that no prompt can break."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import replace

import pandas as pd
import pytest
from huggingface_hub import ModelCard, ModelCardData

from anomend.diffusion.bases import BASE_MODELS
from anomend.exporting.finished_run import FinishedRun
from anomend.exporting.hub_card import guidance_arguments, hub_card, seeds_of

MakeRun = Callable[..., FinishedRun]


def data_of(card: ModelCard) -> ModelCardData:
    """As huggingface_hub parses it."""
    assert isinstance(card.data, ModelCardData)
    return card.data


def test_the_hub_reads_the_card_of_a_released_base(make_run: MakeRun) -> None:
    card = ModelCard(hub_card(make_run("sd3-medium")))
    data = card.data.to_dict()
    assert data["base_model"] == "stabilityai/stable-diffusion-3-medium-diffusers"
    assert data["base_model_relation"] == "adapter"
    assert data["library_name"] == "diffusers" and data["pipeline_tag"] == "text-to-image"
    assert {"lora", "text-to-image", "stable-diffusion-3"} <= set(data["tags"])
    assert (data["license"], data["license_name"]) == ("other", "stabilityai-ai-community")
    assert data["license_link"].startswith("https://")
    assert data["instance_prompt"] == "lying on the grass"
    assert data["widget"] == [{"text": "lying on the grass"}, {"text": "lying on the street"}]
    assert "Powered by Stability AI" in card.text and "(Stability AI Community License) binds" in card.text
    assert "from_pretrained('stabilityai/stable-diffusion-3-medium-diffusers'" in card.text


def test_a_base_that_is_not_on_the_hub_is_not_named_as_one(make_run: MakeRun) -> None:
    card = ModelCard(hub_card(make_run()))
    data = data_of(card)
    assert data.base_model is None and data.license == "mit" and data.license_name is None
    assert "Powered by" not in card.text and "not a released model" in card.text
    assert ModelCard(hub_card(make_run("rehearsal"))).data.to_dict()["license_name"] == "none: random weights"


def test_prompts_and_seeds_are_those_that_were_judged(make_run: MakeRun) -> None:
    run = make_run()
    text = hub_card(run)
    prompts = run.params.prompts
    assert set(run.images_tuned["prompt"]) == {*prompts.target, *prompts.held_out, *prompts.siblings}
    for prompt in set(run.images_tuned["prompt"]):
        rows = run.images_tuned[run.images_tuned["prompt"] == prompt]
        assert f"| {prompt} | {rows['group'].iloc[0].replace('_', '-')} |" in text
        assert f"({rows['anomalous'].sum()} of {len(rows)};" in text
    last = run.images_tuned.groupby("group")["seed"].max()
    assert (
        f"20000 to {last['target']} for each target prompt, 20000 to {last['held_out']} for each held-out one" in text
    )
    assert "| instance images | 20, 64 x 64 px |" in text and f"| seed | {run.params.train.seed} |" in text
    assert "| steps | 250 of at most 300, stopped early; the weights are those of step 200 |" in text
    assert "![" not in text and "(pairs.png)" in hub_card(run, picture="pairs.png")


def test_how_the_tuned_model_is_sampled_besides_is_said_and_in_the_call(make_run: MakeRun) -> None:
    skip = {"layers": [1, 2], "scale": 2.5, "start": 0.05, "stop": 0.3}
    tuned = {"negative_prompt": "it's\nwrong", "skip_layers": skip, "best_of": {"n": 3}}
    words = "The tuned model is the base with a LoRA, sampled with more."
    run = make_run(sample={"tuned": tuned})
    text = hub_card(replace(run, sampled={"tuned_model": words}))
    assert f"{words} These results are not of the LoRA alone." in text and "from the same seeds" not in text
    assert "each image is the best of 3: this code draws one" in text
    (call,) = (
        node
        for node in ast.walk(ast.parse(text.split("```python\n")[1].split("```")[0]))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "pipe"
    )
    arguments = {word.arg: ast.literal_eval(word.value) for word in call.keywords}
    assert arguments["negative_prompt"] == "it's\nwrong" and arguments["skip_guidance_layers"] == [1, 2]
    names = ("scale", "start", "stop")
    assert [arguments[f"skip_layer_guidance_{name}"] for name in names] == [skip[name] for name in names]
    plain = hub_card(make_run(sample={"tuned": {}}))
    assert "from the same seeds" in plain and "negative_prompt" not in plain and "not of the LoRA alone" not in plain


def test_seeds_in_words() -> None:
    images = pd.DataFrame({"group": ["a"] * 4 + ["b", "c", "c"], "seed": [3, 1, 2, 1, 9, 7, 4]})
    assert [seeds_of(images, group) for group in "abcd"] == ["1 to 3", "9", "4, 7", "none"]


def test_results_are_read_back_as_eval_results(make_run: MakeRun) -> None:
    run = make_run()
    card = ModelCard(hub_card(run))
    assert data_of(card).model_name == "anomend-mini-lora"
    results = data_of(card).eval_results or []
    values = {(result.metric_type, result.dataset_split): result.metric_value for result in results}
    for group in ("target", "held_out"):
        effect = run.compare[f"anomaly_rate_{group}"]
        assert values["anomaly_rate", group] == effect["tuned"]
        assert values["anomaly_rate_change", group] == effect["delta"]
    assert values["diversity_ratio", "target"] == run.verdict["right_diversity_ratio"]
    assert values["copy_rate", "target"] == run.verdict["copy_rate"]
    assert {result.task_type for result in results} == {"text-to-image"}


@pytest.mark.parametrize("verdict", ["corrected", "not_corrected", "inconclusive"])
def test_the_card_claims_no_more_than_the_verdict(make_run: MakeRun, verdict: str) -> None:
    run = make_run()
    text = ModelCard(hub_card(replace(run, verdict=dict(run.verdict) | {"verdict": verdict}))).text
    assert f"**{verdict.replace('_', ' ').capitalize()}.**" in text
    assert "that corrects" not in text and text.lstrip().startswith("# LoRA trained to correct")


def test_the_card_of_a_quick_run_says_so_and_has_no_results_in_its_metadata(make_run: MakeRun) -> None:
    run = make_run()
    card = ModelCard(hub_card(replace(run, verdict=dict(run.verdict) | {"exploratory": True})))
    assert "in a quick run, which proves nothing" in card.text
    assert data_of(card).eval_results is None


def test_what_was_not_measured_is_left_out_of_the_metadata_and_said_in_the_text(make_run: MakeRun) -> None:
    run, nothing = make_run(), {"base": None, "tuned": None, "delta": None, "reason": "no detector"}
    card = ModelCard(hub_card(replace(run, compare=dict(run.compare) | {"anomaly_rate_held_out": nothing})))
    assert {result.dataset_split for result in data_of(card).eval_results or []} == {"target"}
    assert "n/a (no detector)" in card.text
    unmeasured = {f"anomaly_rate_{group}": nothing for group in ("target", "held_out")}
    verdict = dict(run.verdict) | {"right_diversity_ratio": None, "copy_rate": None}
    card = ModelCard(hub_card(replace(run, compare=dict(run.compare) | unmeasured, verdict=verdict)))
    assert data_of(card).eval_results is None and "model-index" not in card.data.to_dict()


def test_prompts_cannot_break_the_card(make_run: MakeRun) -> None:
    hostile = ["a: 'b' # \"c\"\n--- | <b>\n```", "*lying*"]
    card = ModelCard(hub_card(make_run(prompts={"target": hostile})))
    assert [entry["text"] for entry in card.data.to_dict()["widget"]] == hostile
    assert "<b>" not in card.text.split("## Use")[0] and r"\*lying\*" in card.text
    code = card.text.split("```python\n")[1].split("\n```\n")[0]
    compile(code, "card", "exec")
    assert repr(hostile[0]) in code


@pytest.mark.parametrize(
    ("train", "sentence"),
    [
        ({"rank": 4, "alpha": 4}, "with a scale of 1."),
        ({"rank": 4, "alpha": 8, "use_rslora": True}, "with a scale of 1, which is not this LoRA's."),
        ({"use_dora": True}, "cannot carry DoRA exactly: use diffusers."),
    ],
)
def test_who_uses_another_program_is_warned(make_run: MakeRun, train: dict[str, object], sentence: str) -> None:
    text = hub_card(make_run(train=train))
    assert sentence in text
    if train.get("use_rslora"):
        assert "| rank, alpha | 4, 8.0: scale 4 |" in text and "dreambooth, rsLoRA" in text


@pytest.mark.parametrize(
    ("base", "scale", "code"),
    [
        ("mini", 4.0, "guidance_scale=4.0"),
        ("flux2-klein", 4.0, "guidance_scale=4.0"),
        ("z-image", 5.0, "guidance_scale=4.0"),
        ("qwen-image", 4.0, "true_cfg_scale=4.0, negative_prompt=''"),
        ("qwen-image", 1.0, "true_cfg_scale=1.0"),
    ],
)
def test_guidance_is_written_as_the_bases_pipeline_takes_it(base: str, scale: float, code: str) -> None:
    assert guidance_arguments(BASE_MODELS[base], scale) == code
