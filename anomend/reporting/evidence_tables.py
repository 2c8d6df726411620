"""Tables of the evidence next to the verdict: judges, survey, agreement, training, costs, and the run's inputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from anomend.project.model_words import BASE_AND_TUNED, ModelWords
from anomend.reporting.formatting import (
    Unit,
    flatten,
    interval_text,
    metric_text,
    number_text,
    reason_for,
    reasons_once,
)
from anomend.reporting.inputs import Metrics
from anomend.reporting.tables import Table

TRAINING = {
    "lora_sha256": "SHA-256 of the LoRA",
    "kept_step": "step whose weights were kept",
    "train_seed": "seed",
    "loss_last_tenth": "loss, mean of the last tenth",
    "prior_loss_last_tenth": "loss on class images, mean of the last tenth",
    "stopped_by": "parameter that ended it",
    "rounds": "rounds of drawn images",
    "norm_ratio_last_tenth": "length of the velocity over the base's, mean of the last tenth",
    "file_sha256": "SHA-256 of the author's file",
    "rank_min": "smallest rank of an adapter",
    "rank_max": "largest rank",
    "scale_min": "smallest scale (alpha / rank)",
    "scale_max": "largest scale",
    "reload_difference": "difference after saving and loading again",
}
"""Names of metrics in metrics/train.json for the reader."""


def judge_table(judges: Metrics, words: ModelWords = BASE_AND_TUNED) -> Table:
    """One row per judge."""
    rows = []
    for name, judge in judges.items():
        if name != "provenance" and isinstance(judge, Mapping):
            rows.append(
                (
                    f"{judge.get('provider', name)}: {judge.get('model', '')}",
                    metric_text(judge, "pairs", "count"),
                    f"{metric_text(judge, 'win_rate_tuned', 'rate')}; interval {interval_text(judge, 'rate')}",
                    metric_text(judge, "first_position_rate", "rate"),
                    metric_text(judge, "consistency", "rate"),
                    _unparsed(judge),
                )
            )
    notes = ["Blind pairs in both orders; a tie counts half. 50% for the first position means no position bias."]
    notes += [
        f"Caution about {judge.get('provider', name)}: {judge['caution']}."
        for name, judge in judges.items()
        if isinstance(judge, Mapping) and judge.get("caution")
    ]
    notes += [_labels(name, judge["labels"], words) for name, judge in judges.items() if _has_labels(judge)]
    columns = ("Judge", "Pairs", f"Prefers {words.tuned}", "Prefers first position", "Same in both orders", "Unparsed")
    return Table(columns, tuple(rows), " ".join(notes))


def _has_labels(judge: object) -> bool:
    return isinstance(judge, Mapping) and bool(judge.get("labels", {}).get("target"))


def _labels(name: str, labels: Metrics, words: ModelWords) -> str:
    """What a judge says of single target pictures, in a sentence."""
    base, tuned = (f"{counts['wrong']} of {counts['n']}" for counts in (labels["target"][m] for m in ("base", "tuned")))
    return (
        f"Single target pictures, to {name}: something is wrong with the body in {base} of {words.base_model} and "
        f"{tuned} of {'the tuned one' if words == BASE_AND_TUNED else words.tuned_model}. Caution: {labels['caution']}."
    )


def _unparsed(judge: Metrics) -> str:
    """The number of unparsed answers, with those that were refused or cut off."""
    kinds = [
        f"{judge[key]} {words}" for key, words in (("refused", "refused"), ("cut_off", "cut off")) if judge.get(key)
    ]
    return metric_text(judge, "unparsed", "count") + (f" ({', '.join(kinds)})" if kinds else "")


def survey_table(survey: Metrics, words: ModelWords = BASE_AND_TUNED) -> Table:
    """The survey's metrics, one per row."""
    metrics: tuple[tuple[str, str, Unit], ...] = (
        ("Participants", "n", "count"),
        ("Votes", "votes", "count"),
        (f"Prefer {words.the_tuneds} image (unsure counts half)", "win_rate_tuned", "rate"),
        ("Sign test over pairs, blind to what raters share, p", "p_sign", "p"),
        ("Choose the left image", "left_choice_rate", "rate"),
        ("Fleiss' kappa", "fleiss_kappa", "number"),
        ("Krippendorff's alpha", "krippendorff_alpha", "number"),
    )
    if survey.get("n") == 0:
        metrics = metrics[:3]
    labelled = [(label, metric_text(survey, key, unit)) for label, key, unit in metrics]
    labelled.insert(3, ("95% interval of that", interval_text(survey, "rate")))
    labels, values = zip(*labelled, strict=True)
    rows = zip(labels, reasons_once(values), strict=True)
    caution = survey.get("caution")
    return Table(("Metric", "Value"), tuple(rows), f"Caution: {caution}." if caution else "")


def agreement_table(agreement: Metrics) -> Table:
    """One row for every two raters."""
    rows = []
    for name, scores in agreement.items():
        if "__" in name:
            kappa = metric_text(scores, "kappa", "number")
            rows.append(
                (
                    " and ".join(rater_label(rater) for rater in name.split("__")),
                    metric_text(scores, "n", "count"),
                    metric_text(scores, "agreement", "rate"),
                    kappa if scores.get("ci_low") is None else f"{kappa}; interval {interval_text(scores, 'number')}",
                    metric_text(scores, "rank_correlation", "number"),
                )
            )
    people = agreement.get("people", {})
    note = "Kappa (Cohen): 1 is full agreement, 0 chance. Rank correlation: Kendall's tau-b over the pairs' scores."
    if people.get("n") == 0:
        note += f" People: {people.get('reason', 'no answers yet')}."
    return Table(("Raters", "Pairs", "Same choice", "Kappa", "Rank correlation"), tuple(rows), note)


def rater_label(rater: str) -> str:
    """`judge_anatomy` -> `judge anatomy`."""
    kind, _, name = rater.partition("_")
    return f"{kind} {name.replace('_', ' ')}" if name else kind


def cost_table(
    *,
    collect: Metrics | None,
    curate: Metrics | None,
    judge: Metrics | None,
    sampled: Metrics | None = None,
    words: ModelWords = BASE_AND_TUNED,
) -> Table:
    """What the run cost: money, images, judges' answers, and the tuned model's images where it is not just a LoRA."""
    rows: list[tuple[str, str]] = []
    if collect is not None:
        rows.append(("Spent on images", _usd(collect)))
        rows.append(("Images collected", metric_text(collect, "images", "count")))
        rows += _requests("Image requests", collect)
    if curate is not None:
        rows.append(("Images kept for training", metric_text(curate, "kept", "count")))
        rows.append(("Images rejected", metric_text(curate, "rejected", "count")))
    for name, answers in paid_judges(judge):
        rows.append((f"Spent on judge {name}", _usd(answers)))
        rows += _requests(f"Answers of judge {name}", answers)
    if judge is not None and not list(paid_judges(judge)):
        rows.append(("Spent on judges", "0.00 USD (no paid judge was used)"))
    if sampled is not None and "images_drawn" in sampled:
        rows.append((f"Images that {words.tuned_model} drew", metric_text(sampled, "images_drawn", "count")))
        rows.append(("The same, per image that is kept", metric_text(sampled, "drawn_per_image")))
        for model, key in (("tuned", ""), ("base", "_base")):
            evaluations = metric_text(sampled, f"model_evaluations_per_image{key}")
            rows.append((f"Model evaluations per image, {words.full(model)}", evaluations))
    note = "Seconds and memory of each stage differ between runs: metrics/resources/."
    return Table(("Item", "Value"), tuple(rows), note)


def paid_judges(judge: Metrics | None) -> Iterator[tuple[str, Metrics]]:
    """The judges that were paid, with what they cost."""
    for name, answers in (judge or {}).items():
        if isinstance(answers, Mapping) and "spend_usd" in answers:
            yield name, answers


def _usd(part: Metrics) -> str:
    spent = part.get("spend_usd")
    return number_text(None, reason=reason_for(part, "spend_usd")) if spent is None else f"{spent:.2f} USD"


def _requests(label: str, part: Metrics) -> Iterator[tuple[str, str]]:
    yield f"{label}: paid", metric_text(part, "requests_paid", "count")
    yield f"{label}: from the store, paid before", metric_text(part, "requests_from_store", "count")
    if part.get("maybe_spent_usd"):
        yield f"{label}: possibly charged, without a usable answer", f"{part['maybe_spent_usd']:.2f} USD at most"


def training_table(train: Metrics | None) -> Table:
    """What the training did."""
    rows = () if train is None else tuple(_scalars(train))
    return Table(("Item", "Value"), rows)


def key_value_table(values: Mapping[str, Any], key: str = "Item", value: str = "Value") -> Table:
    """A nested mapping as dotted keys and values."""
    return Table((key, value), tuple(flatten(values)))


def _scalars(metrics: Metrics) -> Iterator[tuple[str, str]]:
    for key in metric_names(metrics):
        value, label = metrics[key], TRAINING.get(key, key.replace("_", " "))
        if isinstance(value, bool):
            yield label, "yes" if value else "no"
        elif isinstance(value, str):
            yield label, value
        elif value is None or isinstance(value, float):
            yield label, metric_text(metrics, key)
        elif isinstance(value, int):
            yield label, str(value) if key.endswith("seed") else f"{value:,}"


def metric_names(metrics: Metrics) -> list[str]:
    """Names of a metric file's metrics, without their reasons and warnings."""
    return [key for key in metrics if not key.endswith(("reason", "warning"))]
