"""The conditions of the verdict: each compares one truth about these prompts, at new seeds, with its threshold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from anomend.project.model_words import BASE_AND_TUNED, ModelWords, capital
from anomend.statistics.one_sided import Tails, rate_tails, ratio_tails
from anomend.statistics.paired_rise import PairCounts
from anomend.verdict.clauses import Claim, percent, points, worst
from anomend.verdict.evidence import Change, Copies, Pairs, Ratio

OTHER_KIND = "a kind that no image shows"
"""Every kind that no image shows: it may still have risen where there are few images."""


def target_drop(target: Change, drop: float, error: float, words: ModelWords = BASE_AND_TUNED) -> Claim:
    """The target anomaly rate fell by `drop` or more."""
    claim = _rise_claim("The target anomaly rate", target, limit=-drop, error=error)
    room = target.base is not None and target.base < drop
    left = f"{capital(words.base_model)}'s {percent(target.base or 0)} leave no room for that." if room else ""
    return replace(claim, asked=f"a fall of at least {100 * drop:.1f} points", remark=claim.remark or left)


def target_rate(target: Change, limit: float, error: float, words: ModelWords = BASE_AND_TUNED) -> Claim:
    """The tuned model's target anomaly rate is `limit` or less."""
    subject = f"{capital(words.tuned_model)}'s target anomaly rate"
    if not target.pairs:
        return _missing(subject, limit, error, target.reason)
    subject = f"{subject} is {percent(target.pairs.tuned_rate)}"
    claim = _tuned_claim(subject, target.pairs, limit=limit, error=error)
    return _judged(replace(claim, seeds_per_prompt=target.seeds_per_prompt, unit=target.unit), target)


def worst_target_prompt(target: Change, limit: float, error: float, words: ModelWords = BASE_AND_TUNED) -> Claim:
    """The tuned model's anomaly rate of each target prompt is `limit` or less."""
    tuned = capital(words.the_tuneds)
    subject = f"{tuned} anomaly rate of the worst target prompt"
    if not target.prompts:
        return _missing(subject, limit, error, target.reason)
    tails = {name: pairs.tuned_tails(limit) for name, pairs in target.prompts.items()}
    name, of_worst = worst(tails)
    pairs = target.prompts[name]
    subject = f"{tuned} anomaly rate of {name!r}, the worst of {_count(tails, 'target prompt')}, is"
    claim = _tuned_claim(f"{subject} {percent(pairs.tuned_rate)}", pairs, limit=limit, error=error)
    claim = replace(claim, tails=of_worst, parts=tails, asked=f"at most {percent(limit)} for each")
    return _judged(replace(claim, seeds_per_prompt=pairs.seen, unit=target.unit), target)


def held_out_rise(held_out: Change, margin: float, error: float) -> Claim:
    """Non-inferiority: the held-out anomaly rate rose by less than `margin`."""
    claim = _rise_claim("The held-out anomaly rate", held_out, limit=margin, error=error)
    return replace(claim, asked=f"a rise of less than {100 * margin:.1f} points")


def worst_held_out_prompt(held_out: Change, rise: float, error: float) -> Claim:
    """The anomaly rate of each held-out prompt rose by less than `rise`."""
    return _worst_rise(
        held_out,
        held_out.prompts,
        limit=rise,
        error=error,
        words="The anomaly rate of {}, of {}",
        noun="held-out prompt",
    )


def new_kinds(target: Change, rise: float, error: float) -> Claim:
    """No kind of anomaly rose by `rise` or more on the target prompts: none was traded for another."""
    nothing_seen: dict[str, Pairs] = {}
    if target.pairs:
        nothing_seen[OTHER_KIND] = PairCounts(0, 0, 0, target.pairs.whole_pairs)
    kinds = {name.replace("_", " "): pairs for name, pairs in target.kinds.items()}
    return _worst_rise(
        target,
        kinds | nothing_seen,
        limit=rise,
        error=error,
        words="The share of target images with {}, of {}",
        noun="kind of anomaly",
    )


def diversity(ratio: Ratio, minimum: float, error: float, words: ModelWords = BASE_AND_TUNED) -> Claim:
    """The tuned model's right images are at least `minimum` times as diverse as the base's."""
    subject, value = f"The diversity of {words.tuned_model}'s right images", ratio.value
    if value is None:
        return _missing(subject, minimum, error, ratio.reason)

    def tails_at(limit: float) -> Tails:
        return ratio_tails(value, log_error=ratio.log_error, freedom=ratio.freedom, limit=limit)

    return Claim(
        threshold=minimum,
        error=error,
        subject=f"{subject} is {value:.3f} times that of {ratio.reference}",
        asked=f"at least {minimum:.3f} times",
        figure=value,
        tails=tails_at(minimum) if minimum > 0 else Tails(beyond=0.0, within=1.0),
        tails_at=tails_at,
        span=(0.0, 100.0),
        at_least=True,
        shown_as=lambda bound: f"{bound:.3f}",
        seeds_per_prompt=ratio.seeds_per_prompt,
    )


def memorisation(copies: Copies, limit: float, error: float, words: ModelWords = BASE_AND_TUNED) -> Claim:
    """The share of target images that copy a training image is `limit` or less."""
    if not copies.n:
        return _missing("The share of copied training images", limit, error, copies.reason)
    subject = f"The share of {words.tuneds} target images that copy a training image is {percent(copies.k / copies.n)}"
    claim = _rate_claim(subject, copies.k, copies.n, limit=limit, error=error)
    warning = f"Warning: {copies.warning}." if copies.warning else ""
    return replace(claim, remark=warning, seeds_per_prompt=copies.seeds_per_prompt)


def _rise_claim(subject: str, change: Change, *, limit: float, error: float) -> Claim:
    if not change.pairs:
        return _missing(f"The change of {subject[0].lower()}{subject[1:]}", limit, error, change.reason)
    pairs = change.pairs
    claim = Claim(
        threshold=limit,
        error=error,
        subject=f"{subject} changed by {points(pairs.rise)}",
        figure=pairs.rise,
        tails=pairs.rise_tails(limit),
        tails_at=pairs.rise_tails,
        span=(-1.0, 1.0),
        shown_as=points,
        seeds_per_prompt=change.seeds_per_prompt,
        unit=change.unit,
    )
    return _judged(claim, change)


def _tuned_claim(subject: str, pairs: Pairs, *, limit: float, error: float) -> Claim:
    return Claim(
        threshold=limit,
        error=error,
        subject=subject,
        asked=f"at most {percent(limit)}",
        figure=pairs.tuned_rate,
        tails=pairs.tuned_tails(limit),
        tails_at=pairs.tuned_tails,
        shown_as=percent,
    )


def _rate_claim(subject: str, k: int, n: int, *, limit: float, error: float) -> Claim:
    return Claim(
        threshold=limit,
        error=error,
        subject=subject,
        asked=f"at most {percent(limit)}",
        figure=k / n,
        tails=rate_tails(k, n, limit),
        tails_at=lambda bound: rate_tails(k, n, bound),
        shown_as=percent,
    )


def _worst_rise(
    change: Change, parts: Mapping[str, Pairs], *, limit: float, error: float, words: str, noun: str
) -> Claim:
    if not parts:
        return _missing(words.format(f"the worst {noun}", "all"), limit, error, change.reason)
    tails = {name: pairs.rise_tails(limit) for name, pairs in parts.items()}
    name, of_worst = worst(tails)
    pairs = parts[name]
    subject = words.format(repr(name), f"{_count(parts, noun)} the one that rose most,")
    claim = Claim(
        threshold=limit,
        error=error,
        subject=f"{subject} changed by {points(pairs.rise)}",
        asked=f"a rise of less than {100 * limit:.1f} points for each",
        figure=pairs.rise,
        tails=of_worst,
        parts=tails,
        tails_at=pairs.rise_tails,
        span=(-1.0, 1.0),
        shown_as=points,
        seeds_per_prompt=pairs.seen if parts is change.prompts else change.seeds_per_prompt,
        unit=change.unit,
    )
    return _judged(claim, change)


def _judged(claim: Claim, change: Change) -> Claim:
    """The claim; without tails where the detector's anomalies are not proof."""
    return replace(claim, tails=None, remark=change.caution) if change.caution else claim


def _missing(subject: str, threshold: float, error: float, reason: str) -> Claim:
    return Claim(threshold=threshold, error=error, subject=subject, remark=reason)


def _count(parts: Mapping[str, object], noun: str) -> str:
    plural = noun.replace("kind", "kinds") if noun.startswith("kind") else f"{noun}s"
    return f"1 {noun}" if len(parts) == 1 else f"{len(parts)} {plural}"
