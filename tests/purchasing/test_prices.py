"""Prices, and models that are retired."""

from __future__ import annotations

from pathlib import Path

import pytest

from anomend.purchasing.models import refuse_retired
from anomend.purchasing.prices import read_price
from tests.conftest import ROOT


def test_prices_and_retired_models(tmp_path: Path) -> None:
    table = ROOT / "data" / "prices.csv"
    price = read_price("claude-opus-5-5", table)
    assert price.usd(1_000_000, 0, 500_000) == pytest.approx(4 + 10)
    assert price.usd(1_000_000, 0, 500_000, batch=True) == pytest.approx(7)
    assert read_price("gpt-image-2.5-flare-2026-09-08", table).output == 30
    with pytest.raises(ValueError, match=r"has no price for 'gpt-image-2\.9'"):
        read_price("gpt-image-2.9", table)
    (tmp_path / "prices.csv").write_text("model,text_input\nm,1\n")
    with pytest.raises(ValueError, match="is not a table with the columns"):
        read_price("m", tmp_path / "prices.csv")
    retired = ROOT / "data" / "retired_models.csv"
    with pytest.raises(ValueError, match=r"collect\.openai\.model = 'dall-e-3' was retired on 2026-05-12: use"):
        refuse_retired("dall-e-3", "collect.openai.model", retired)
    refuse_retired("gpt-image-2", "collect.openai.model", retired)
