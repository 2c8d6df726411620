"""The pictures and charts of the report."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image
from scipy.stats import binomtest

from anomend.reporting.charts import rate_chart
from anomend.reporting.inputs import ReportInputs
from anomend.reporting.pairs import AssessedImage, ImagePair, first_pairs, join_pairs
from anomend.reporting.rates import prompt_rates
from anomend.reporting.side_by_side import ANOMALY_RED, save_side_by_side
from anomend.reporting.thumbnails import still_uri, thumbnails
from anomend.reporting.training_charts import anomaly_chart, loss_chart, validation_chart


def pairs_of(inputs: ReportInputs, per_prompt: int, **limits: int) -> list[ImagePair]:
    return first_pairs(inputs.pairs, per_prompt, **limits)


def decoded(uri: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(uri.removeprefix("data:image/png;base64,"))))


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


def test_small_images_are_enlarged_by_a_whole_factor(inputs: ReportInputs) -> None:
    pair = pairs_of(inputs, 1)[0]
    shown = np.asarray(decoded(thumbnails([pair])[0][0]))
    original = np.asarray(Image.open(pair.base.path))
    factor = shown.shape[0] // original.shape[0]
    assert factor >= 2
    np.testing.assert_array_equal(shown[::factor, ::factor], original)


def test_large_images_become_thumbnails_that_keep_to_the_budget(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    path = tmp_path / "noise.png"
    Image.fromarray(rng.integers(256, size=(256, 384, 3), dtype=np.uint8)).save(path)
    image = AssessedImage(path, ())
    pair = ImagePair(prompt="a prompt", group="target", seed=0, base=image, tuned=image)
    roomy, tight = thumbnails([pair]), thumbnails([pair] * 3, budget=120_000)
    assert decoded(roomy[0][0]).size == (192, 128)
    assert decoded(tight[0][0]).width < 192
    assert sum(len(uri) for both in tight for uri in both) <= 120_000


def test_a_still_is_the_image_itself() -> None:
    image = np.random.default_rng(1).integers(256, size=(64, 64, 3), dtype=np.uint8)
    np.testing.assert_array_equal(np.asarray(decoded(still_uri(image)).convert("RGB"))[::3, ::3], image)


def test_side_by_side_shows_both_models_and_marks_anomalies(inputs: ReportInputs, tmp_path: Path) -> None:
    save_side_by_side(tmp_path / "plots" / "grid.png", pairs_of(inputs, 2), cell=64)
    save_side_by_side(tmp_path / "again.png", pairs_of(inputs, 2), cell=64)
    assert (tmp_path / "again.png").read_bytes() == (tmp_path / "plots" / "grid.png").read_bytes()
    sheet = np.asarray(Image.open(tmp_path / "again.png"))
    # Three of the eight images are anomalous. Their frames are full columns of red, four pixels wide on either side.
    red = (sheet == ANOMALY_RED).all(axis=2)
    columns = np.flatnonzero(red.sum(axis=0) >= 64)
    assert len(columns) >= 3 * 2 * 4
    right = sheet[:, sheet.shape[1] // 2 :]
    held_out = np.asarray(Image.open(pairs_of(inputs, 2)[3].tuned.path))
    windows = np.lib.stride_tricks.sliding_window_view(right, held_out.shape)[:, :, 0]
    assert (windows[:, :, ::8, ::8] == held_out[::8, ::8]).all(axis=(2, 3, 4)).any()
    with pytest.raises(ValueError, match="no pair"):
        save_side_by_side(tmp_path / "none.png", [])


def test_rates_match_scipys_wilson_interval(inputs: ReportInputs) -> None:
    target, held_out = prompt_rates(inputs.images_base, inputs.images_tuned)
    assert target.base is not None and held_out.tuned is not None
    expected = binomtest(4, 5).proportion_ci(method="wilson")
    assert (target.base.anomalous, target.base.n) == (4, 5)
    assert (target.base.low, target.base.high) == pytest.approx((expected.low, expected.high))
    assert held_out.tuned.rate == 0


def test_charts_are_wellformed_follow_the_theme_and_hold_what_was_measured(inputs: ReportInputs) -> None:
    curves = inputs.train_loss
    assert curves is not None
    rates = prompt_rates(inputs.images_base, inputs.images_tuned)
    evaluations = validation_chart(curves, 40), anomaly_chart(curves, 40, images=10, base_rate=0.8)
    for svg in (rate_chart(rates), loss_chart(curves), *evaluations):
        root = ElementTree.fromstring(svg)
        assert "viewBox" in root.attrib and "width" not in root.attrib
        assert "currentColor" in svg and "#010203" not in svg and "#000000" not in svg
        assert "http" not in svg and "<metadata" not in svg
    text = rate_chart(rates)
    assert "lying on the grass" in text and "sitting on the beach" in text
    assert "class images" in loss_chart(curves)


def test_charts_do_not_depend_on_the_order_of_a_set(inputs: ReportInputs) -> None:
    rates = prompt_rates(inputs.images_base, inputs.images_tuned)
    assert rate_chart(rates) == rate_chart(prompt_rates(inputs.images_base[::-1], inputs.images_tuned[::-1]))
    assert not re.search(r"\d{4}-\d{2}-\d{2}", rate_chart(rates))
