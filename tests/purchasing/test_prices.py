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
    with pytest.raises(ValueError, match="has no column 'image_input': its first line is model,text_input,"):
        read_price("m", tmp_path / "prices.csv")
    retired = ROOT / "data" / "retired_models.csv"
    with pytest.raises(ValueError, match=r"collect\.openai\.model = 'dall-e-3' was retired on 2026-05-12: use"):
        refuse_retired("dall-e-3", "collect.openai.model", retired)
    refuse_retired("gpt-image-2", "collect.openai.model", retired)


HEADER = "model,text_input,image_input,output,as_of,source"


def test_a_table_saved_by_a_spreadsheet_is_read_whatever_its_mark_and_separator(tmp_path: Path) -> None:
    prices, retired = tmp_path / "prices.csv", tmp_path / "retired_models.csv"
    retired.write_text("model,retired,successors\nm-1,2026-01-02,m-2\n", encoding="utf-8-sig")
    with pytest.raises(ValueError, match="t = 'm-1' was retired on 2026-01-02: use m-2 instead"):
        refuse_retired("m-1", "t", retired)
    prices.write_bytes(f"{HEADER}\r\nm,1,2,3.5,2026,Müller\r\n".replace(",", ";").encode("utf-16"))
    assert read_price("m", prices).output == 3.5


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (f"{HEADER}\nm,1,2,3,2026,Müller\n".encode("cp1252"), r"prices\.csv is not UTF-8: save it again in UTF-8"),
        (f"{HEADER}\nm,$5,2,3,2026,x\n".encode(), r"line 2 of .*prices\.csv has text_input = '\$5': write a plain num"),
        (f"{HEADER}\n\nm,1,2,-3,2026,x\n".encode(), r"line 3 of .*prices\.csv has output = '-3': write dollars"),
        (f"{HEADER}\nm,1,2,3,2026,a, b\n".encode(), r"line 2 of .*prices\.csv has 7 values for 6 columns: .*quotation"),
        (
            f"{HEADER}\nm,1,2,3,2025,x\nm,9,9,9,2026,x\n".encode(),
            r"line 2 of .*csv and line 3 both have .* 'm': k",
        ),
        (b"", r"prices\.csv has no column 'model': its first line is model,text_input"),
    ],
)
def test_a_price_that_cannot_be_read_is_named_with_its_file_line_and_fix(
    tmp_path: Path, content: bytes, sentence: str
) -> None:
    (tmp_path / "prices.csv").write_bytes(content)
    with pytest.raises(ValueError, match=sentence):
        read_price("m", tmp_path / "prices.csv")
