"""A folder ready for the Hugging Face hub: the LoRA's weights, and its model card with the results."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCard

from stages.diffusion.lora import WEIGHT_NAME

RATES = {"anomaly_rate_target": "target prompts", "anomaly_rate_held_out": "held-out prompts"}


def card_with_results(card: str, name: str, compare: Mapping[str, Any], verdict: Mapping[str, Any]) -> str:
    """The training's card with verdict and anomaly rates, in words and as the hub's `model-index`.

    Args:
        card: what stage `train` wrote.
        name: the model's name on the hub.
        compare: metrics/compare.json.
        verdict: metrics/verdict.json.
    """
    finished = ModelCard(card)
    data: Any = finished.data
    data.model_name = name
    data.eval_results = [
        EvalResult(
            task_type="text-to-image",
            dataset_type="prompts",
            dataset_name=f"{prompts}, {compare[measure]['n']} seed pairs",
            metric_type=measure,
            metric_name="anomaly rate",
            metric_value=compare[measure]["tuned"],
        )
        for measure, prompts in RATES.items()
        if compare[measure]["tuned"] is not None
    ]
    lines = ["", "## Results", "", f"Verdict: **{verdict['verdict']}**.", ""]
    lines += [f"- {reason}" for reason in verdict["reasons"]]
    lines += ["", "| measure | base | tuned | change | 95% interval |", "|---|---|---|---|---|"]
    for measure in (*RATES, "diversity"):
        figures = compare[measure]
        cells = [figures[key] for key in ("base", "tuned", "delta", "ci_low", "ci_high")]
        base, tuned, delta, low, high = ("-" if cell is None else f"{cell:.4f}" for cell in cells)
        lines.append(f"| {measure} | {base} | {tuned} | {delta} | {low} to {high} |")
    finished.text = finished.text.rstrip() + "\n" + "\n".join(lines) + "\n"
    return str(finished)


def export_hub_folder(lora: Path, out: Path, compare: Mapping[str, Any], verdict: Mapping[str, Any]) -> None:
    """Copy the weights and write the finished card.

    Raises:
        ValueError: no LoRA, or no card, in the folder.
    """
    card = lora / "README.md"
    for path in (lora / WEIGHT_NAME, card):
        if not path.exists():
            raise ValueError(f"{path} is missing: run `dvc repro train`, or `dvc pull` it")
    out.mkdir(parents=True, exist_ok=True)
    shutil.copy(lora / WEIGHT_NAME, out / WEIGHT_NAME)
    (out / WEIGHT_NAME).chmod(0o644)
    (out / "README.md").write_text(card_with_results(card.read_text(), out.name, compare, verdict), encoding="utf-8")
