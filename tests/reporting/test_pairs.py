"""Pairs of images and what was found in them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from anomend.reporting.inputs import ReportInputs
from anomend.reporting.pairs import ImagePair, first_pairs, join_pairs


def pairs_of(inputs: ReportInputs, per_prompt: int, **limits: int) -> list[ImagePair]:
    return first_pairs(inputs.pairs, per_prompt, **limits)


def test_pairs_are_the_first_seeds_with_target_prompts_first(inputs: ReportInputs) -> None:
    pairs = pairs_of(inputs, 3)
    assert [(pair.group, pair.seed) for pair in pairs] == [
        (group, seed) for group in ("target", "held_out") for seed in range(3)
    ]
    # Planted at the first four seeds of the base set, and at the first of the tuned one.
    assert [pair.base.finding for pair in pairs[:3]] == ["extra arm", "extra leg", "missing arm"]
    assert [bool(pair.tuned.anomalies) for pair in pairs] == [True, False, False, False, False, False]
    assert len(pairs_of(inputs, 5, max_pairs=4)) == 4
    with pytest.raises(ValueError, match="share no prompt and seed"):
        join_pairs(
            samples_base=inputs.samples_base.assign(seed=99),
            samples_tuned=inputs.samples_tuned,
            images_base=inputs.images_base,
            images_tuned=inputs.images_tuned,
        )


def test_an_image_without_finding_is_not_called_right(inputs: ReportInputs) -> None:
    pair = pairs_of(replace(inputs, images_base=inputs.images_base.iloc[1:]), 1)[0]
    assert pair.base.anomalies is None
    assert pair.base.finding == "not assessed"


def test_findings_as_they_come_back_from_a_file(inputs: ReportInputs) -> None:
    """Where no image of a set is anomalous, pandas reads the empty column `anomalies` as numbers."""
    clean = inputs.images_tuned.assign(anomalous=0, anomalies=float("nan"))
    unnamed = inputs.images_base.assign(anomalous=1, anomalies=float("nan"))
    pair = pairs_of(replace(inputs, images_base=unnamed, images_tuned=clean), 1)[0]
    assert (pair.base.finding, pair.tuned.finding) == ("anomalous", "no anomaly")
