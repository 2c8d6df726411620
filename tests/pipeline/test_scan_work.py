"""The work of a scan, against scans of simulated prompts."""

from __future__ import annotations

from typing import Any

import numpy as np

from anomend.params.profiles import merge
from anomend.pipeline.scan_work import RIGHT_RATE, WRONG_RATE, scan_bill, scan_labels, scan_work
from anomend.scanning.rounds import Requests, scan
from anomend.scanning.rules import Rules
from tests.parameters import params_of, user_params


def of(**changes: dict[str, Any]) -> Any:
    return params_of(merge(user_params(), changes))


def test_the_expected_images_are_those_of_simulated_scans() -> None:
    """Twelve prompts, three of them wrong, which are found together a little earlier than each would be alone."""
    params = of()
    rates = {f"wrong {n}": WRONG_RATE for n in range(3)} | {f"right {n}": RIGHT_RATE for n in range(9)}
    fresh = range(10_000, 10_000 + params.scan.fresh.seeds_per_prompt)

    def images(run: int) -> int:
        rng = np.random.default_rng(run)

        def find(requests: Requests) -> dict[tuple[str, int], bool]:
            return {(prompt, s): bool(rng.random() < rates[prompt]) for prompt, seeds in requests for s in seeds}

        seen = scan(list(rates), Rules.of(params.scan), find, first_seed=0, fresh_seeds=fresh)
        return seen.explored_images + seen.fresh_images

    simulated = np.mean([images(run) for run in range(200)])
    assert abs(scan_work(params, 12).images - simulated) < 0.05 * simulated


def test_at_most_every_prompt_goes_to_the_last_round_and_is_found() -> None:
    params = of(scan={"most_seeds": 64}, sample={"steps": 10, "batch_size": 3})
    most = scan_work(params, 12, worst=True)
    # Rounds of 8 in blocks of 2; 24 fresh images.
    assert most.images == 12 * (64 + 24) and most.sampling == most.images * 10 * 2
    assert most.disk_bytes == most.images * 64 * 64 * 3 // 2
    (line,) = scan_bill(params, 12, records=[], published=[])
    assert scan_labels(params, 12) == []
    people = of(scan={"most_seeds": 64, "evidence": "people"}, sample={"steps": 10, "batch_size": 3})
    (words,) = scan_labels(people, 12)
    assert f"to {2 * most.images:,} labels" in words and scan_work(people, 12).measuring == 0
    # With a detector: 64 images of a prompt, of which people see 16, and all 24 fresh ones.
    both = {"most_seeds": 64, "seeds_per_round": 16, "images_per_label": 4, "evidence": "people+machine"}
    (words,) = scan_labels(of(scan=both, sample={"steps": 10, "batch_size": 3}), 12)
    assert (
        words.startswith("people label one of 4, and all fresh ones") and f"to {2 * 12 * (16 + 24):,} labels" in words
    )
    assert line.worst == most and line.work.images < most.images and not line.duration.seconds
