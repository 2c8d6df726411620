"""What a run changed and cost, what it did elsewhere, and which evidence there is not, in sentences and facts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from anomend.project.model_words import BASE_AND_TUNED, KEY
from anomend.reporting.evidence_tables import agreement_table, paid_judges
from anomend.reporting.formatting import change_text, interval_text, metric_text, number_text
from anomend.reporting.inputs import Metrics, ReportInputs
from anomend.reporting.measures import measure_label, measures_of, reading
from anomend.reporting.other_methods import better_method
from anomend.reporting.rates import PromptRates
from anomend.reporting.tables import RATE, Table

CHECKER = "anatomy"
"""The judge that is the detector of drawn people in another role."""
OTHER_GROUPS = {"siblings": "Siblings of the target prompts, which nothing else uses"}
"""Groups of prompts beside target and held-out ones, in words."""
TOLD = ("target", "held_out", "held_out_preserved", "held_out_unseen")
"""Groups of prompts that have sentences or numbers of their own."""


def subject(inputs: ReportInputs) -> str:
    """Which model drew which images, for a reader who knows nothing about the run."""
    base, params = inputs.base_model.get("name", ""), inputs.parameters
    size = params.get("base", {}).get("resolution")
    images = f"images of {size} px" if size else "images"
    model = f"Profile {params.get('profile')}: {images} by the base model {base}"
    tuned = tuned_model(inputs)
    if base != "mini":
        return f"{model}. {tuned}".rstrip()
    words = f"{model}, the miniature: drawn people, not photographs. It shows the method, not how real models do."
    return f"{words} {tuned}".rstrip()


def tuned_model(inputs: ReportInputs) -> str:
    """What the tuned model is, and what its images cost; empty where it is just a LoRA."""
    return str((inputs.sampled or {}).get("tuned_model", ""))


def facts(inputs: ReportInputs) -> Table:
    """What was changed, with what, on what, at which cost."""
    environment, base = inputs.environment, inputs.base_model
    versions = ", ".join(f"{name} {version}" for name, version in environment.items() if name != "device")
    source = ", ".join(f"{key} {value}" for key, value in base.items() if key in ("source", "revision", "licence"))
    other = better_method(inputs.methods, inputs.parameters)
    rows = (
        ("Correction", _changed(inputs)),
        *([("Other methods", f"{other} The comparison: studies/experiments/methods.md.")] if other else []),
        ("Base model", f"{base.get('name', 'not recorded')}{f' ({source})' if source else ''}"),
        ("Device", environment.get("device", "not recorded")),
        ("Versions", versions or "not recorded"),
        ("Spent", _spent(inputs)),
    )
    return Table(("Fact", "Value"), rows)


def judges_of(judges: Metrics | None) -> dict[str, Any]:
    """The judges that saw pairs, by name."""
    return {
        name: judge
        for name, judge in (judges or {}).items()
        if isinstance(judge, Mapping) and name != "provenance" and "provider" in judge
    }


def agreement_of(agreement: Metrics | None, *, judges: Mapping[str, Any]) -> Table | None:
    """How far raters agree; None where the checker would only be compared with itself."""
    if agreement is None or not any("__" in name for name in agreement):
        return None
    independent = set(judges) - {CHECKER} or (agreement.get("people") or {}).get("n")
    return agreement_table(agreement) if independent else None


def absent(
    *, labels: Metrics | None, survey: Metrics | None, judges: Mapping[str, Any], agreement: Metrics | None
) -> str:
    """Which evidence there is not, in one line."""
    missing = [
        words for words, there in (("people's labels", labels), ("a survey", survey), ("judges", judges)) if not there
    ]
    sentences = [f"Not part of this run: {', '.join(missing)}."] if missing else []
    if set(judges) == {CHECKER}:
        sentences.append("The only judge is the detector itself, which is not a second opinion.")
    return " ".join(sentences)


def elsewhere(inputs: ReportInputs, rates: Sequence[PromptRates]) -> tuple[str, ...]:
    """What the correction cost elsewhere: other prompts, diversity, copies, and which measures are worse."""
    when = ("before", "after") if inputs.words == BASE_AND_TUNED else ("with A", "with B")
    sentences = [
        *_worst_prompt(rates),
        *_preserved_prompts(inputs.compare, when),
        *_other_groups(inputs.compare, when),
    ]
    than = "before" if inputs.words == BASE_AND_TUNED else inputs.words.bases
    right, diversity = (_measure(inputs.compare, name) for name in ("diversity_right", "diversity_held_out"))
    if (ratio := right.get("ratio")) is not None:
        sentences.append(
            f"Right images of the target prompts are {number_text(ratio, 'ratio')} times as diverse as {than} "
            f"({_ratio_interval(right)})."
        )
    if (ratio := diversity.get("ratio")) is not None:
        words = f"{number_text(ratio, 'ratio')} times ({_ratio_interval(diversity)})"
        sentences.append(f"Images of the held-out prompts: {words}.")
    if (copies := inputs.verdict.get("copy_rate")) is not None:
        sentences.append(f"{number_text(copies, 'rate')} of the target images copy a training image.")
    worse = [measure_label(name) for name, measure in measures_of(inputs.compare) if reading(measure) == "worse"]
    if worse:
        sentences.append(f"Worse: {'; '.join(worse)}.")
    return tuple(sentences)


def _ratio_interval(measure: Mapping[str, Any]) -> str:
    low, high = (number_text(measure.get(f"ratio_ci_{end}"), "ratio", "no interval") for end in ("low", "high"))
    return f"interval {low} to {high}"


def _other_groups(compare: Metrics, when: tuple[str, str]) -> list[str]:
    """A sentence for every group of prompts beside target and held-out ones."""
    sentences = []
    for name, measure in compare.items():
        group = name.removeprefix(RATE)
        if name.startswith(RATE) and group not in TOLD and isinstance(measure, Mapping) and "delta" in measure:
            before, after = metric_text(measure, "base", "rate"), metric_text(measure, "tuned", "rate")
            change = f"{change_text(measure)}, interval {interval_text(measure, 'points')}"
            sentences.append(
                f"{OTHER_GROUPS.get(group, group)}: {before} wrong {when[0]}, {after} {when[1]} ({change})."
            )
    return sentences


def _worst_prompt(rates: Sequence[PromptRates]) -> list[str]:
    """The held-out prompt that rose most, which the mean over prompts may hide; in counts, which subtract."""
    prompts = [prompt for prompt in rates if prompt.group == "held_out" and prompt.base and prompt.tuned]
    rises = [(prompt.tuned.value - prompt.base.value, prompt) for prompt in prompts if prompt.base and prompt.tuned]
    rise, worst = max(rises, key=lambda each: each[0], default=(0.0, None))
    if rise <= 0 or worst is None or worst.base is None or worst.tuned is None:
        return []
    before, after = (f"{rate.k:,} of {rate.n:,}" for rate in (worst.base, worst.tuned))
    return [f"The held-out prompt that rose most: {worst.prompt}, from {before} images wrong to {after}."]


def _preserved_prompts(compare: Metrics, when: tuple[str, str]) -> list[str]:
    """Held-out prompts that training preserves by class images: how they fare says little about other prompts."""
    preserved, unseen = (_measure(compare, f"anomaly_rate_held_out_{part}") for part in ("preserved", "unseen"))
    if not preserved.get("clusters"):
        return []

    def change(part: Mapping[str, Any]) -> str:
        before, after = metric_text(part, "base", "rate"), metric_text(part, "tuned", "rate")
        return f"{before} wrong {when[0]}, {after} {when[1]}"

    count = preserved["clusters"] + unseen.get("clusters", 0)
    sentences = [
        f"{preserved['clusters']} of the {count} held-out prompts have class images, by which training preserves"
    ]
    sentences[0] += f" them: {change(preserved)}."
    if unseen.get("clusters"):
        sentences.append(f"The others, which training never saw: {change(unseen)}.")
    return sentences


METHODS = {
    "dreambooth": "DreamBooth",
    "dpo": "Flow-DPO",
    "nft": "DiffusionNFT",
    "labels": "DiffusionNFT on labelled pictures",
}
"""Ways of training by `train.method`."""


def _changed(inputs: ReportInputs) -> str:
    params, train = inputs.parameters.get("train", {}), inputs.train
    if train is None or not params:
        return "Not recorded."
    if params.get("method") == "none":
        return "Nothing was trained: the base is sampled in another way, as the first lines say."
    if params.get("method") == "external":
        return (
            f"Nothing was trained here: {train.get('author')} made the LoRA, SHA-256 {train.get('file_sha256')}, in "
            f"the layout of {train.get('layout')}, with adapters of rank {_span(train, 'rank')} on "
            f"{metric_text(train, 'modules', 'count')} modules of {inputs.base_model.get('name')}."
        )
    provenance = train.get("provenance", {})
    method = METHODS.get(str(params.get("method")), str(params.get("method")))
    change = f"A LoRA of rank {params.get('rank')} on {inputs.base_model.get('name')}, by {method}: "
    change += f"{metric_text(train, 'steps', 'count')} steps on {_images(provenance)}"
    if params.get("method") in ("nft", "labels"):
        change += ", right and wrong ones"
    if class_images := provenance.get("n_class"):
        change += f", with {class_images:,} right images of the base itself to preserve the rest"
    kept = train.get("kept_step")
    change += f"; the weights are those of step {kept:,}." if kept is not None else "."
    if not tuned_model(inputs) or KEY in (inputs.sampled or {}):
        return change
    return f"{change} It is also sampled in another way, as the first lines say."


def _images(provenance: Mapping[str, Any]) -> str:
    return f"{metric_text(provenance, 'n', 'count')} image{'' if provenance.get('n') == 1 else 's'}"


def _span(train: Metrics, key: str) -> str:
    low, high = train.get(f"{key}_min"), train.get(f"{key}_max")
    return f"{low}" if low == high else f"{low} to {high}"


def _spent(inputs: ReportInputs) -> str:
    parts = [inputs.collect, *(judge for _, judge in paid_judges(inputs.judge))]
    spent = [part.get("spend_usd") for part in parts if part is not None]
    recorded = [usd for usd in spent if usd is not None]
    if not spent or len(recorded) < len(spent):
        return "Not recorded."
    return f"{sum(recorded):.2f} USD, on images and judges together."


def _measure(compare: Metrics, name: str) -> Mapping[str, Any]:
    return compare.get(name) or {"reason": "not measured"}
