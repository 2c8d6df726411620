"""The table of decisions by hand: what is read, and what is refused."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from anomend.curating.decisions import Decision, check_names, decision_for, read_decisions


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("image,decision\na,keep\n", "no column 'note'"),
        ("image,decision,note\na,perhaps,\n", "line 2 .* says 'perhaps': write keep or reject"),
        ("image,decision,note\na,keep,\na,reject,\n", "line 3 .* names 'a'"),
        ("image,decision,note\n,keep,\n", "line 2 .* names ''"),
    ],
)
def test_a_wrong_table_of_decisions_is_named(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "decisions.csv").write_text(content)
    with pytest.raises(ValueError, match=said):
        read_decisions(tmp_path / "decisions.csv")
    assert read_decisions(tmp_path / "none.csv") == []


def test_a_table_from_a_spreadsheet_is_read_and_one_in_another_encoding_named(tmp_path: Path) -> None:
    table = tmp_path / "decisions.csv"
    table.write_bytes("image,decision,note\r\nFoto.png,Keep,schöne Wiese\r\n".encode("utf-8-sig"))
    assert read_decisions(table) == [Decision("Foto.png", True, "schöne Wiese")]
    table.write_bytes("image,decision,note\nFoto.png,keep,schöne Wiese\n".encode("latin-1"))
    with pytest.raises(ValueError, match=r"decisions\.csv is not UTF-8: save it again"):
        read_decisions(table)


@pytest.mark.parametrize("forms", [("NFC", "NFD"), ("NFD", "NFC")])
def test_a_name_in_another_unicode_form_is_the_same_name(tmp_path: Path, forms: tuple[str, str]) -> None:
    written, named = (unicodedata.normalize(form, "früh.png") for form in forms)
    table = tmp_path / "decisions.csv"
    table.write_text(f"image,decision,note\n{written},reject,\n", encoding="utf-8")
    decisions = read_decisions(table)
    check_names(decisions, [("0" * 64, named)], table)
    decision = decision_for(decisions, "0" * 64, named)
    assert decision is not None and not decision.keep


def test_a_mistyped_file_name_is_refused_and_another_runs_digest_is_not() -> None:
    images: list[tuple[str, str | None]] = [("ab" * 32, "lawn.png"), ("cd" * 32, None)]
    fine = [Decision("lawn.png", True, ""), Decision("cdcdcdcd", False, ""), Decision("12345678", False, "")]
    check_names(fine, images, Path("decisions.csv"))
    with pytest.raises(ValueError, match=r"names 'lown\.png', .* \(is 'lawn\.png' meant\?\): fix it"):
        check_names([*fine, Decision("lown.png", False, "")], images, Path("decisions.csv"))
    # Drawn images have no names: a table that was written for your folder is not an error then.
    check_names([Decision("lown.png", False, "")], images[1:], Path("decisions.csv"))
