"""The seven questions that a reader comes with, each answered in one or two sentences from the run's metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from anomend.reporting.evidence_tables import paid_judges
from anomend.reporting.formatting import interval_text, metric_text, number_text, p_text
from anomend.reporting.inputs import Metrics, ReportInputs
from anomend.reporting.measures import caution_of, confidence_level, measure_label, measures_of, reading
from anomend.reporting.people import decided_by
from anomend.reporting.rates import PromptRates
from anomend.statistics.resampling import MIN_CLUSTERS
from anomend.verdict.headline import deciding_rates


@dataclass(frozen=True)
class KeyAnswer:
    """The answer to one question of the reader."""

    question: str
    answer: str
    anchor: str
    """Id of the heading under which the evidence is."""


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


def key_answers(inputs: ReportInputs, rates: Sequence[PromptRates] = ()) -> tuple[KeyAnswer, ...]:
    """Is it corrected, by how much, how sure is that, at what cost elsewhere, by what change, at what price, and can it
    be done again?

    Args:
        inputs: the run.
        rates: anomaly rates prompt by prompt.
    """
    target = _deciding(inputs, "anomaly_rate_target")
    return (
        KeyAnswer("Is it corrected?", f"{_corrected(inputs.verdict)} {_by_whom(inputs)}".rstrip(), "clauses"),
        KeyAnswer("By how much?", _by_how_much(target), "rates"),
        KeyAnswer("How sure is that?", _how_sure(target, inputs.compare), "measures"),
        KeyAnswer("What did it cost elsewhere?", _elsewhere(inputs, rates), "measures"),
        KeyAnswer("What was changed?", _changed(inputs), "training"),
        KeyAnswer("What was spent?", _spent(inputs), "costs"),
        KeyAnswer("Can I do it again?", _again(inputs), "reproduce"),
    )


def _corrected(verdict: Metrics) -> str:
    if verdict.get("exploratory"):
        return "A quick run cannot tell: it proves nothing. Make a full run (level=full)."
    outcomes = [clause["passed"] for clause in verdict["clauses"].values()]
    failed, unsettled = outcomes.count(False), outcomes.count(None)
    if verdict["verdict"] == "corrected":
        return f"Yes: each of the {len(outcomes)} clauses of the verdict passed."
    if failed:
        return f"No: {failed} of {len(outcomes)} clauses failed."
    return f"Undecided: no clause failed, and the metrics do not settle {unsettled} of {len(outcomes)}."


def _deciding(inputs: ReportInputs, name: str) -> Mapping[str, Any]:
    return deciding_rates(name, verdict=inputs.verdict, compare=inputs.compare, people=inputs.people)


def _by_whom(inputs: ReportInputs) -> str:
    """Who decided; and what people prefer, where they were asked."""
    words = decided_by(inputs.verdict)
    sentences = [f"{words[0].upper()}{words[1:]}."] if words else []
    if (inputs.survey or {}).get("n"):
        share = metric_text(inputs.survey or {}, "win_rate_tuned", "rate")
        sentences.append(f"People prefer the tuned image in {share} of the survey's votes.")
    return " ".join(sentences)


def _by_how_much(target: Mapping[str, Any]) -> str:
    if target.get("delta") is None:
        return f"Not known: {metric_text(target, 'delta')}."
    change = (
        f"On the target prompts {metric_text(target, 'base', 'rate')} of the base model's images are anomalous, and "
        f"{metric_text(target, 'tuned', 'rate')} of the tuned model's: {metric_text(target, 'delta', 'points')}."
    )
    return f"{change} {caution_of(target)}".rstrip()


def _how_sure(target: Mapping[str, Any], compare: Metrics) -> str:
    if "pairs" in target:
        pairs = f"{metric_text(target, 'pairs', 'count')} pairs of images that people labelled"
        return f"95% interval of the change {interval_text(target, 'points')}, from {pairs}, raters' errors included."
    size = f"{metric_text(target, 'n', 'count')} pairs of images of the same prompt and seed"
    change = f"{confidence_level(compare)} interval of the change {interval_text(target, 'points')}"
    answer = f"{change}, {p_text(target)}, from {size}."
    clusters = target.get("clusters")
    if clusters is not None and clusters < MIN_CLUSTERS:
        answer += f" It is about new seeds of these {clusters} prompts, not about other prompts."
    return answer


def _elsewhere(inputs: ReportInputs, rates: Sequence[PromptRates]) -> str:
    held_out = _deciding(inputs, "anomaly_rate_held_out")
    base, tuned = metric_text(held_out, "base", "rate"), metric_text(held_out, "tuned", "rate")
    change = f"{metric_text(held_out, 'delta', 'points')}, interval {interval_text(held_out, 'points')}"
    sentences = [f"Held-out prompts: {base} anomalous before, {tuned} after ({change})."]
    if held_out.get("delta") is None:
        sentences = [f"Not known for the held-out prompts: {metric_text(held_out, 'delta')}."]
    sentences += [*_worst_prompt(rates), *_preserved_prompts(inputs.compare)]
    right, copies = _measure(inputs.compare, "diversity_right"), inputs.verdict.get("copy_rate")
    if (ratio := right.get("ratio")) is not None:
        span = f"(interval {right['ratio_ci_low']:.3f} to {right['ratio_ci_high']:.3f})"
        sentences.append(f"Right images of the target prompts are {ratio:.3f} times as diverse as before {span}.")
    diversity = _measure(inputs.compare, "diversity_held_out")
    if (ratio := diversity.get("ratio")) is not None:
        low, high = (diversity[f"ratio_ci_{end}"] for end in ("low", "high"))
        sentences.append(f"On the held-out prompts: {ratio:.3f} times ({low:.3f} to {high:.3f}).")
    if copies is not None:
        sentences.append(f"{number_text(copies, 'rate')} of the target images copy a training image.")
    for word, start in (("worse", "Worse"), ("changed", "Changed, which is neither good nor bad by itself")):
        names = [measure_label(name) for name, measure in measures_of(inputs.compare) if reading(measure) == word]
        if names:
            sentences.append(f"{start}: {'; '.join(names)}.")
    return " ".join(sentences)


def _worst_prompt(rates: Sequence[PromptRates]) -> list[str]:
    """The held-out prompt that rose most, which the mean over prompts may hide."""
    changes = [
        (prompt.tuned.value - prompt.base.value, prompt.prompt, prompt.base.value, prompt.tuned.value)
        for prompt in rates
        if prompt.group != "target" and prompt.base and prompt.tuned
    ]
    rise, worst, base, tuned = max(changes, key=lambda change: change[0], default=(0.0, "", 0.0, 0.0))
    return [f"The prompt that rose most: {worst}, {base:.1%} to {tuned:.1%}."] if rise > 0 else []


def _preserved_prompts(compare: Metrics) -> list[str]:
    """Held-out prompts that training preserves by class images: how they fare says little about other prompts."""
    preserved, unseen = (_measure(compare, f"anomaly_rate_held_out_{part}") for part in ("preserved", "unseen"))
    if not preserved.get("clusters"):
        return []

    def change(part: Mapping[str, Any]) -> str:
        return f"{metric_text(part, 'base', 'rate')} anomalous before, {metric_text(part, 'tuned', 'rate')} after"

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
        return "Nothing was trained: the base is sampled in another way, as the sentences above say."
    provenance = train.get("provenance", {})
    method = METHODS.get(str(params.get("method")), str(params.get("method")))
    change = f"A LoRA of rank {params.get('rank')} on {inputs.base_model.get('name')}, by {method}: "
    change += f"{metric_text(train, 'steps', 'count')} steps on {metric_text(provenance, 'n', 'count')} images"
    if params.get("method") in ("nft", "labels"):
        change += ", right and wrong ones"
    if class_images := provenance.get("n_class"):
        change += f", with {class_images:,} right images of the base itself to preserve the rest"
    kept = train.get("kept_step")
    change += f"; the weights are those of step {kept:,}." if kept is not None else "."
    return f"{change} It is also sampled in another way, as the sentences above say." if tuned_model(inputs) else change


def _spent(inputs: ReportInputs) -> str:
    parts = [inputs.collect, *(judge for _, judge in paid_judges(inputs.judge))]
    spent = [part.get("spend_usd") for part in parts if part is not None]
    recorded = [usd for usd in spent if usd is not None]
    if not spent or len(recorded) < len(spent):
        return "Not recorded."
    return f"{sum(recorded):.2f} USD, on images and judges together."


def _again(inputs: ReportInputs) -> str:
    environment = inputs.environment
    where = ", ".join(f"{key} {environment[key]}" for key in ("device", "python", "torch") if key in environment)
    made = f" This run: {where}." if where else ""
    return f"Yes: 'make repro' in a fresh clone of this commit makes every image and metric again.{made}"


def _measure(compare: Metrics, name: str) -> Mapping[str, Any]:
    return compare.get(name) or {"reason": "not measured"}
