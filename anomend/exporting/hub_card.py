"""The model card of a finished run for the Hugging Face hub, with its results; it claims no more than they show.

Stage `train` writes a shorter card before anything is measured (`lora_card`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from huggingface_hub import EvalResult

from anomend.diffusion.bases import BaseModel
from anomend.exporting.card_metadata import card_metadata
from anomend.exporting.finished_run import FinishedRun
from anomend.exporting.licences import licence_of
from anomend.families.table import family_named
from anomend.params.tuned import TunedParams
from anomend.reporting.clauses import clause_table
from anomend.reporting.inputs import Metrics
from anomend.reporting.rates import prompt_rates
from anomend.reporting.tables import compare_table, headline, prompt_table
from anomend.reporting.templating import markdown_environment

TEMPLATES = Path(__file__).parent / "templates"
READS = ("templates/hub_card.md.jinja",)
"""Files that this module reads: a change of them is a change of its code."""


def hub_card(run: FinishedRun, comfyui: str | None = None, picture: str | None = None) -> str:
    """The card's text.

    Args:
        run: the run.
        comfyui: name of the file in kohya's layout in the card's folder; None: there is none.
        picture: name of the picture of base and tuned samples in the card's folder; None: there is none.
    """
    train, licence = run.params.train, licence_of(run.base.licence)
    environment = markdown_environment(TEMPLATES)
    # Prompts are also in Python code, where Markdown's escapes would be part of the string.
    environment.filters["literal"] = repr
    body = environment.get_template("hub_card.md.jinja").render(
        p=run.params,
        train=run.train,
        repository=run.base.repository,
        licence=run.base.licence,
        duties=licence.duties,
        scale=train.alpha / (train.rank**0.5 if train.use_rslora else train.rank),
        verdict=run.verdict["verdict"].replace("_", " ").capitalize()
        + (", in a quick run, which proves nothing" if run.verdict.get("exploratory") else ""),
        headline=headline(run.verdict, run.compare),
        reasons=run.verdict["reasons"],
        tables={
            "The verdict's clauses": clause_table(run.verdict),
            "Prompt by prompt": prompt_table(prompt_rates(run.measure_base, run.measure_tuned)),
            "All measures": compare_table(run.compare),
        },
        sampled=run.sampled,
        pipeline=run.base.pipeline,
        guidance=guidance_arguments(run.base, run.params.sample.guidance_scale),
        further=further_arguments(run.params.sample.tuned),
        seeds={group: seeds_of(run.images_tuned, group) for group in ("target", "held_out")},
        comfyui=comfyui,
        picture=picture,
    )
    results = [] if run.verdict.get("exploratory") else list(_eval_results(run.compare, run.verdict))
    return f"{card_metadata(run.params, run.base, results)}\n{body}"


def guidance_arguments(base: BaseModel, scale: float) -> str:
    """`sample.guidance_scale` as diffusers' pipeline of a base takes it, as code."""
    family = family_named(base.pipeline)
    arguments = family.guidance(scale) | (family.guided_by_words if scale > 1 else {})
    return ", ".join(f"{name}={value!r}" for name, value in arguments.items())


def further_arguments(tuned: TunedParams) -> str:
    """What `sample.tuned` adds to a call of diffusers' pipeline, as code."""
    skip = tuned.skip_layers
    arguments: dict[str, object] = {}
    if tuned.negative_prompt is not None:
        arguments["negative_prompt"] = tuned.negative_prompt
    if skip.layers:
        arguments |= {"skip_guidance_layers": skip.layers, "skip_layer_guidance_scale": skip.scale}
        arguments |= {"skip_layer_guidance_start": skip.start, "skip_layer_guidance_stop": skip.stop}
    return "".join(f",\n             {name}={value!r}" for name, value in arguments.items())


def seeds_of(images: pd.DataFrame, group: str) -> str:
    """The seeds of a group's prompts in words, such as `20000 to 20127`."""
    seeds = sorted({int(seed) for seed in images.loc[images["group"] == group, "seed"]})
    if not seeds:
        return "none"
    if seeds == list(range(seeds[0], seeds[-1] + 1)):
        return str(seeds[0]) if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
    return ", ".join(map(str, seeds))


def _eval_results(compare: Metrics, verdict: Metrics) -> Iterator[EvalResult]:
    """Metrics of the tuned model for `model-index`, except those that were not measured or that prove nothing."""
    for group in ("target", "held_out"):
        prompts = group.replace("_", "-")
        effect = compare.get(f"anomaly_rate_{group}") or {}
        effect = {} if effect.get("caution") else effect
        change = f"Change of the anomaly rate from the base, {prompts} prompts"
        metrics = [
            ("anomaly_rate", f"Anomaly rate, {prompts} prompts", effect.get("tuned")),
            ("anomaly_rate_change", change, effect.get("delta")),
        ]
        if group == "target":
            metrics += [
                ("diversity_ratio", "Diversity of right images over the base's", verdict.get("right_diversity_ratio")),
                ("copy_rate", "Share of images that copy a training image", verdict.get("copy_rate")),
            ]
        for kind, name, value in metrics:
            if value is not None:
                yield EvalResult(
                    task_type="text-to-image",
                    task_name="Text-to-image",
                    dataset_type="prompts",
                    dataset_name=f"{prompts.capitalize()} prompts, {effect.get('n')} pairs of images",
                    dataset_split=group,
                    metric_type=kind,
                    metric_name=name,
                    metric_value=value,
                )
