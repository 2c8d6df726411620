"""The seven questions that a reader comes with, each answered in one or two sentences from the run's figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from anomend.reporting.evidence_tables import paid_judges
from anomend.reporting.formatting import figure, figure_of, interval
from anomend.reporting.inputs import Metrics, ReportInputs
from anomend.reporting.rates import PromptRates
from anomend.reporting.tables import caution_of, confidence_level, measure_label, measures_of, narrow, reading
from anomend.statistics.resampling import MIN_CLUSTERS


@dataclass(frozen=True)
class Question:
    """A question, its answer, and the heading's id under which the evidence stands."""

    text: str
    answer: str
    anchor: str


def subject(inputs: ReportInputs) -> str:
    """What was drawn by what, for a reader who comes from elsewhere."""
    base, params = inputs.base_model.get("name", ""), inputs.parameters
    size = params.get("base", {}).get("resolution")
    said = f"Profile {params.get('profile')}: images{f' of {size} px' if size else ''} by the base model {base}"
    if base != "mini":
        return f"{said}."
    return f"{said}, the miniature: drawn people, no photographs. It shows the method, and says nothing of real models."


def questions(inputs: ReportInputs, rates: Sequence[PromptRates] = ()) -> tuple[Question, ...]:
    """Is it corrected, by how much, how sure, at what cost elsewhere, by what change, for how much, and once more?

    Args:
        inputs: the run.
        rates: anomaly rates prompt by prompt.
    """
    target = _measure(inputs.compare, "anomaly_rate_target")
    return (
        Question("Is it corrected?", _corrected(inputs.verdict), "clauses"),
        Question("By how much?", _by_how_much(target), "rates"),
        Question("How sure is that?", _how_sure(target, inputs.compare), "measures"),
        Question("What did it cost elsewhere?", _elsewhere(inputs, rates), "measures"),
        Question("What was changed?", _changed(inputs), "training"),
        Question("What was spent?", _spent(inputs), "costs"),
        Question("Can I do it again?", _again(inputs), "reproduce"),
    )


def _corrected(verdict: Metrics) -> str:
    outcomes = [clause["passed"] for clause in verdict["clauses"].values()]
    failed, unsettled = outcomes.count(False), outcomes.count(None)
    if verdict["verdict"] == "corrected":
        close = sum(narrow(clause) for clause in verdict["clauses"].values())
        doubt = f" Of {close} the interval includes the threshold, so that other seeds may fail it." if close else ""
        return f"Yes: each of the {len(outcomes)} clauses of the verdict passed.{doubt}"
    if failed:
        return f"No: {failed} of {len(outcomes)} clauses failed."
    return f"Undecided: no clause failed, and the figures do not settle {unsettled} of {len(outcomes)}."


def _by_how_much(target: Mapping[str, Any]) -> str:
    if target.get("delta") is None:
        return f"Not known: {figure_of(target, 'delta')}."
    said = (
        f"On the target prompts {figure_of(target, 'base', 'rate')} of the base model's images are anomalous, and "
        f"{figure_of(target, 'tuned', 'rate')} of the tuned model's: {figure_of(target, 'delta', 'points')}."
    )
    return f"{said} {caution_of(target)}".rstrip()


def _how_sure(target: Mapping[str, Any], compare: Metrics) -> str:
    size = f"{figure_of(target, 'n', 'count')} pairs of images of the same prompt and seed"
    p = figure_of(target, "p", "p")
    found = f"{confidence_level(compare)} interval of the change {interval(target, 'points')}, "
    found += f"p {p if p[0] in '<n' else '= ' + p}, from {size}."
    clusters = target.get("clusters")
    if clusters is not None and clusters < MIN_CLUSTERS:
        found += f" It speaks about new seeds of these {clusters} prompts, not about other prompts."
    return found


def _elsewhere(inputs: ReportInputs, rates: Sequence[PromptRates]) -> str:
    held_out = _measure(inputs.compare, "anomaly_rate_held_out")
    base, tuned = figure_of(held_out, "base", "rate"), figure_of(held_out, "tuned", "rate")
    change = f"{figure_of(held_out, 'delta', 'points')}, interval {interval(held_out, 'points')}"
    sentences = [f"Held-out prompts: {base} anomalous before, {tuned} after ({change})."]
    if held_out.get("delta") is None:
        sentences = [f"On the held-out prompts it is not known: {figure_of(held_out, 'delta')}."]
    sentences += [*_worst_prompt(rates), *_preserved_prompts(inputs.parameters)]
    ratio, copies = inputs.verdict.get("diversity_ratio"), inputs.verdict.get("copy_rate")
    if ratio is not None:
        low, high = (inputs.verdict.get(f"diversity_ratio_ci_{end}") for end in ("low", "high"))
        span = "" if low is None or high is None else f" (interval {low:.3f} to {high:.3f})"
        sentences.append(f"The images on the target prompts are {ratio:.3f} times as diverse as the base's{span}.")
    diversity = _measure(inputs.compare, "diversity_held_out")
    if (ratio := diversity.get("ratio")) is not None:
        low, high = (diversity[f"ratio_ci_{end}"] for end in ("low", "high"))
        sentences.append(f"Those on the held-out prompts are {ratio:.3f} times ({low:.3f} to {high:.3f}).")
    if copies is not None:
        sentences.append(f"{figure(copies, 'rate')} of the target images copy a training image.")
    for word, start in (("worse", "Worse"), ("changed", "Changed, which is neither good nor bad by itself")):
        names = [measure_label(name) for name, measure in measures_of(inputs.compare) if reading(measure) == word]
        if names:
            sentences.append(f"{start}: {'; '.join(names)}.")
    return " ".join(sentences)


def _worst_prompt(rates: Sequence[PromptRates]) -> list[str]:
    """The held-out prompt that rose most, which the mean over prompts may hide."""
    known = [(rate.tuned.value - rate.base.value, rate) for rate in rates if rate.base and rate.tuned]
    risen = [(rise, rate) for rise, rate in known if rate.group != "target" and rise > 0]
    if not risen:
        return []
    _, worst = max(risen, key=lambda found: found[0])
    assert worst.base and worst.tuned
    return [f"The prompt that rose most: {worst.prompt}, {worst.base.value:.1%} to {worst.tuned.value:.1%}."]


def _preserved_prompts(parameters: Mapping[str, Any]) -> list[str]:
    """Held-out prompts that training was told to leave as they are: how they fare says little about other prompts."""
    held_out = parameters.get("prompts", {}).get("held_out", [])
    texts = parameters.get("class_images", {}).get("prompts", [])
    if not held_out or not parameters.get("train", {}).get("class_batch_size"):
        return []
    shared = sum(any(text.endswith(prompt) for text in texts) for prompt in held_out)
    if not shared:
        return []
    return [f"Of the {len(held_out)} held-out prompts {shared} have class images, by which training preserves them."]


def _changed(inputs: ReportInputs) -> str:
    params, train = inputs.parameters.get("train", {}), inputs.train
    if train is None or not params:
        return "Not recorded."
    provenance = train.get("provenance", {})
    method = {"dreambooth": "DreamBooth", "dpo": "Flow-DPO"}.get(str(params.get("method")), str(params.get("method")))
    said = f"A LoRA of rank {params.get('rank')} on {inputs.base_model.get('name')}, by {method}: "
    said += f"{figure_of(train, 'steps', 'count')} steps on {figure_of(provenance, 'n', 'count')} images"
    if class_images := provenance.get("n_class"):
        said += f", with {class_images:,} of the base's own right images to preserve the rest"
    kept = train.get("kept_step")
    return said + (f"; the weights are those of step {kept:,}." if kept is not None else ".")


def _spent(inputs: ReportInputs) -> str:
    parts = [inputs.collect, *(judge for _, judge in paid_judges(inputs.judge))]
    spent = [part.get("spend_usd") for part in parts if part is not None]
    known = [usd for usd in spent if usd is not None]
    if not spent or len(known) < len(spent):
        return "Not recorded."
    return f"{sum(known):.2f} USD, on images and judges together."


def _again(inputs: ReportInputs) -> str:
    environment = inputs.environment
    where = ", ".join(f"{key} {environment[key]}" for key in ("device", "python", "torch") if key in environment)
    made = f" This run: {where}." if where else ""
    return f"Yes: 'make repro' in a fresh clone of this commit makes every image and figure anew.{made}"


def _measure(compare: Metrics, name: str) -> Mapping[str, Any]:
    return compare.get(name) or {"reason": "not measured"}
