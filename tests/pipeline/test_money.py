"""Dollars before anything is bought, worked out by hand from the table of prices."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from anomend.params.params import Params
from anomend.params.profiles import merge
from anomend.pipeline.money import collecting_usd, judging_usd
from anomend.purchasing.prices import read_price
from tests.conftest import ROOT
from tests.parameters import params_of, user_params

PRICES, RETIRED = ROOT / "data" / "prices.csv", ROOT / "data" / "retired_models.csv"


def of(**changes: dict[str, Any]) -> Params:
    return params_of(merge(user_params(), changes))


def collecting(params: Params, project: Path) -> float:
    return collecting_usd(params, environment={}, project=project, prices=PRICES, retired_models=RETIRED)


def test_judges_are_asked_about_every_pair_in_both_orders_each_time() -> None:
    judge = {
        "judges": ["anatomy", "anthropic"],
        "pairs_per_prompt": 5,
        "repeats": 3,
        "image_size": 700,
        "max_tokens": 1000,
    }
    params = of(judge=judge)
    price = read_price(params.judge.models.anthropic, PRICES)
    # Two images of 700 x 700 at 700 pixels a token, 1,100 tokens of text, 1,000 of answer.
    answer = (1100 * price.text_input + 1400 * price.image_input + 1000 * price.output) / 1e6
    assert judging_usd(params, PRICES) == pytest.approx(2 * 5 * 2 * 3 * answer)
    assert judging_usd(of(judge=judge | {"batch": True}), PRICES) == pytest.approx(2 * 5 * 2 * 3 * answer / 2)
    with_parts = of(judge=judge | {"parts": "drawn_people"})
    assert judging_usd(with_parts, PRICES) == pytest.approx(4 * 2 * 5 * 2 * 3 * answer)


def test_without_paid_services_nothing_is_paid(tmp_path: Path) -> None:
    assert judging_usd(of(), PRICES) == collecting(of(), tmp_path) == 0.0


def test_bought_images_are_estimated_as_the_stage_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    openai = {"contexts": [], "quality": "low"}
    params = of(collect={"source": "openai", "images": 3, "openai": openai}, curate={"min_kept": 1})
    price = read_price(params.collect.openai.model, PRICES)
    assert collecting(params, tmp_path) == pytest.approx(3 * (300 * price.text_input + 300 * price.output) / 1e6)
