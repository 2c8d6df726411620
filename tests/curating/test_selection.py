"""Decisions: every criterion by itself, repeated images, and what a person decided by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from anomend.curating.criteria import Criteria, Figures, reasons_against
from anomend.curating.decisions import Decision, check_names, read_decisions
from anomend.curating.detectors import DETECTORS, DetectorSettings, detector_for
from anomend.curating.picture_metrics import perceptual_hashes
from anomend.curating.selection import Candidate, Seen, decide, look_at, rejections, table_row
from anomend.detectors.observation import Observation
from tests.collecting.pictures import drawing
from tests.curating.test_picture_figures import scene

GOOD = Figures(
    side=1024,
    sharpness=0.7,
    persons=1,
    area=0.5,
    inside=1.0,
    background=0.1,
    anatomy=0.8,
    hands=0.9,
)
STRICT = Criteria(
    min_side=1024,
    min_area=0.15,
    min_inside=0.9,
    max_background=0.35,
    min_sharpness=0.4,
    min_anatomy=0.3,
    min_hands=0.5,
    min_distance=10,
)


def seen(figures: Figures, number: int) -> Seen:
    return Seen(figures, perceptual_hashes(scene(number)), (0, 0, 256))


def candidate(number: int, digest: str = "", original: str | None = None) -> Candidate:
    return Candidate(Path(f"{number:04d}.png"), digest or f"{number:064x}", "folder", "figures", original)


@pytest.mark.parametrize(
    ("changed", "reason", "words"),
    [
        ({"persons": 0}, "persons", "nobody"),
        ({"persons": 3}, "persons", "3 people"),
        ({"anomalies": ("missing_arm", "extra_leg")}, "anomalies", "missing_arm extra_leg"),
        ({"side": 512}, "side", "low resolution (512 < 1024)"),
        ({"area": 0.1}, "area", "small person (0.1 < 0.15)"),
        ({"inside": 0.5}, "inside", "cut by the square (0.5 < 0.9)"),
        ({"background": 0.4}, "background", "busy background (0.4 > 0.35)"),
        ({"sharpness": 0.1}, "sharpness", "blurred (0.1 < 0.4)"),
        ({"anatomy": 0.2}, "anatomy", "unclear body (0.2 < 0.3)"),
        ({"hands": 0.2}, "hands", "unclear hands (0.2 < 0.5)"),
    ],
)
def test_every_criterion_rejects_by_itself(changed: dict[str, object], reason: str, words: str) -> None:
    assert reasons_against(GOOD, STRICT) == {}
    found = reasons_against(replace(GOOD, **changed), STRICT)  # type: ignore[arg-type]
    assert found == {reason: words}


def test_what_nobody_knows_and_what_nobody_asks_rejects_nothing() -> None:
    assert reasons_against(Figures(side=1024, sharpness=0.7), STRICT) == {}
    bad = Figures(side=1, sharpness=0.0, persons=7, area=0.0)
    assert reasons_against(bad, Criteria(one_person=False)) == {}


def test_of_two_that_are_alike_the_better_one_stays() -> None:
    pictures = [seen(replace(GOOD, sharpness=0.5), 0), seen(GOOD, 0), seen(GOOD, 1), seen(GOOD, 0)]
    verdicts = decide([candidate(number) for number in range(4)], pictures, {"figures": STRICT}, [])
    assert [verdict.kept for verdict in verdicts] == [False, True, True, False]
    assert verdicts[0].text == verdicts[3].text == "near-duplicate of 0001.png (0 bits)"
    assert rejections(verdicts) == {"duplicate": 2}


def test_a_rejected_image_pushes_out_none_that_resembles_it() -> None:
    pictures = [seen(replace(GOOD, sharpness=0.9, persons=2), 0), seen(GOOD, 0)]
    verdicts = decide([candidate(0), candidate(1)], pictures, {"figures": STRICT}, [])
    assert [verdict.kept for verdict in verdicts] == [False, True]


def test_decisions_by_hand_win(tmp_path: Path) -> None:
    table = tmp_path / "decisions.csv"
    table.write_text(f"image,decision,note\n{'ab' * 32},keep,she is the one\nbeach.jpg,reject,\nabcdef01,Keep,\n")
    pictures = [
        seen(replace(GOOD, persons=2), 0),
        seen(GOOD, 1),
        seen(replace(GOOD, sharpness=0.1), 0),
        seen(replace(GOOD, sharpness=0.9), 1),
    ]
    candidates = [
        candidate(0, "ab" * 32),
        candidate(1, original="other.jpg"),
        candidate(2, "abcdef01" + "0" * 56),
        candidate(3, original="beach.jpg"),
    ]
    verdicts = decide(candidates, pictures, {"figures": STRICT}, read_decisions(table))
    assert [verdict.kept for verdict in verdicts] == [True, True, True, False]
    assert verdicts[0].text == "kept by hand: she is the one; 2 people"
    # The sharper image was rejected by hand, so it does not push out the one that resembles it.
    assert verdicts[1].text == "" and verdicts[3].text == "rejected by hand"
    assert rejections(verdicts) == {"by_hand": 1}
    assert table_row(candidates[3], pictures[3], verdicts[3])["by_hand"] == "reject"


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


def test_the_checker_counts_the_figures_of_a_drawing() -> None:
    look = DETECTORS["figures"].make(DetectorSettings())
    one = look_at(drawing(), look)
    assert one.figures.persons == 1 and one.figures.anomalies == () and 0.05 < (one.figures.area or 0) < 0.4
    two = look(np.concatenate([drawing(0), drawing(1)], axis=1))
    assert two.persons == 2
    nobody = look(np.full((64, 64, 3), (90, 150, 90), np.uint8))
    assert nobody.persons == 0 and nobody.region is None


def test_auto_takes_the_checker_for_drawn_figures_alone() -> None:
    assert detector_for("auto", "figures") == "figures"
    assert detector_for("auto", "folder") == "photographs"
    assert detector_for("none", "figures") == "none"


def test_a_region_without_a_pixel_is_refused() -> None:
    with pytest.raises(ValueError, match="pass None"):
        Observation(region=np.zeros((4, 4), bool))


def test_a_table_from_a_spreadsheet_is_read_and_one_in_another_encoding_named(tmp_path: Path) -> None:
    table = tmp_path / "decisions.csv"
    table.write_bytes("image,decision,note\r\nFoto.png,Keep,schöne Wiese\r\n".encode("utf-8-sig"))
    assert read_decisions(table) == [Decision("Foto.png", True, "schöne Wiese")]
    table.write_bytes("image,decision,note\nFoto.png,keep,schöne Wiese\n".encode("latin-1"))
    with pytest.raises(ValueError, match=r"decisions\.csv is no UTF-8: save it again"):
        read_decisions(table)


def test_a_mistyped_file_name_is_refused_and_another_runs_digest_is_not() -> None:
    images: list[tuple[str, str | None]] = [("ab" * 32, "lawn.png"), ("cd" * 32, None)]
    fine = [Decision("lawn.png", True, ""), Decision("cdcdcdcd", False, ""), Decision("12345678", False, "")]
    check_names(fine, images, Path("decisions.csv"))
    with pytest.raises(ValueError, match=r"names 'lown\.png', .* \(is 'lawn\.png' meant\?\): mend it"):
        check_names([*fine, Decision("lown.png", False, "")], images, Path("decisions.csv"))
    # Drawn images have no names: a table written for one's own folder is no fault then.
    check_names([Decision("lown.png", False, "")], images[1:], Path("decisions.csv"))
