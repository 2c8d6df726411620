"""What metrics/scan.json says."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from anomend.scanning.design import chances, fixed_images
from anomend.scanning.effects import factor_effects
from anomend.scanning.proposals import Proposal, propose
from anomend.scanning.results import ranked, reported_rates
from anomend.scanning.rounds import Scanned
from anomend.scanning.rules import Rules, Tally
from anomend.scanning.suites import Suite


def scan_metrics(
    suite: Suite, seen: Scanned, rules: Rules, *, held_out: int, siblings: int, class_prompts: Sequence[str]
) -> dict[str, Any]:
    """The content of metrics/scan.json without provenance. `dvc metrics diff` leaves its lists out.

    Where people see a part of the images, the design without rounds is that of people alone, so that its images are
    compared with those that people see; `images_unseen` are the others.

    Args:
        suite: what was scanned.
        seen: the scan.
        rules: by which it decided.
        held_out: the most held-out prompts of the proposal.
        siblings: the most siblings of the proposal's target that nothing else uses.
        class_prompts: of the run that the proposal is for.
    """
    count = len(suite.prompts)
    rates = reported_rates(seen, 1 - rules.error)
    power = chances(rules.of_labels, count, rules.worth)["wrong"]
    fixed = fixed_images(rules, count, power)
    # Of fresh images people see all.
    waiting = sum(
        len(seeds) * (1 if prompt in seen.found else rules.images_per_label) for prompt, seeds in seen.waiting.items()
    )
    images = seen.explored_images + seen.fresh_images + waiting
    unseen = images - sum(tally.n for tally in [*seen.tallies.values(), *seen.fresh.values()])
    unseen -= sum(len(seeds) for seeds in seen.waiting.values())
    effects = factor_effects(suite, seen.tallies)
    levels = {prompt.prompt: dict(prompt.levels) for prompt in suite.prompts}
    statuses = list(seen.statuses.values())
    return {
        "discoveries": len(seen.found),
        "prompts_fine": statuses.count("fine"),
        "prompts_open": statuses.count("open"),
        "prompts_waiting": len(seen.waiting),
        "prompts_scanned": count,
        "images": images,
        "images_explored": seen.explored_images,
        "images_fresh": seen.fresh_images,
        "images_waiting": waiting,
        **({"images_unseen": unseen} if rules.images_per_label > 1 else {}),
        "images_fixed_design": fixed,
        "share_of_fixed_design": (images - unseen) / fixed,
        "rounds": seen.rounds,
        "power_at_worth": power,
        "rules": asdict(rules),
        "prompts": [
            {
                "prompt": prompt,
                "levels": levels[prompt],
                "status": seen.statuses[prompt],
                **asdict(rates[prompt]),
                "explored": _counts(seen.tallies[prompt]),
                **({"waiting": True} if prompt in seen.waiting else {}),
                "log10_evidence": _finite(rules.evidence(seen.tallies[prompt]) / math.log(10)),
            }
            for prompt in ranked(seen, rates)
        ],
        "factors": {
            "explained_together": effects.together,
            **({} if effects.together is not None else {"reason": "the prompts' rates do not differ"}),
            "lost_without": dict(effects.explained),
            "levels": [asdict(level) for level in effects.levels],
        },
        "proposal": _proposal_metrics(
            propose(suite, seen, rates, held_out=held_out, siblings=siblings, class_prompts=class_prompts),
            class_prompts,
        ),
    }


def _proposal_metrics(proposal: Proposal | None, class_prompts: Sequence[str]) -> dict[str, Any]:
    if proposal is None:
        return {"target": None, "reason": "nothing was found wrong, or no prompt is left to hold out"}
    return {
        "target": list(proposal.target),
        "held_out": [{"prompt": prompt, "kind": kind} for prompt, kind in proposal.held_out.items()],
        "siblings": list(proposal.siblings),
        "later": list(proposal.later),
        "class_prompts": list(proposal.class_prompts),
        "class_prompts_dropped": len(class_prompts) - len(proposal.class_prompts),
    }


def _counts(tally: Tally) -> dict[str, int]:
    counts = {"k": tally.k, "n": tally.n}
    return counts | {name: count for name, count in (("unclear", tally.unclear), ("unseen", tally.unseen)) if count}


def _finite(value: float) -> float:
    return max(value, -1e6)
