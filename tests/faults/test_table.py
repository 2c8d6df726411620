"""The table of faults: rows of a later run replace earlier ones, and the committed one has lost nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from anomend.project.metric_files import read_metrics
from tests.faults.faulty import differences, stage_names
from tests.faults.table import WHOLE, Row, merged, read_rows, record, whole_suite


def test_rows_of_a_later_run_replace_earlier_ones() -> None:
    old, other, new = Row("train", "killed", 5, 1, ""), Row("train", "full", 1, 0, ""), Row("train", "killed", 5, 0, "")
    assert merged([old, other], [new]) == [other, new]


def test_only_the_whole_suite_writes_and_each_row_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, row = tmp_path / "faults.json", Row("train", "killed", 5, 0, "")
    monkeypatch.delenv(WHOLE, raising=False)
    record(row, path)
    assert not path.exists()
    monkeypatch.setenv(WHOLE, "1")
    record(row, path)
    record(Row("report", "full", 2, 1, "No space left"), path)
    assert read_rows(path) == [Row("report", "full", 2, 1, "No space left"), row]
    assert read_metrics(path)["tries"] == 7 and read_metrics(path)["lost"] == 1


def test_what_is_gone_changed_or_new_is_a_difference() -> None:
    assert differences({"a": "1", "b": "2", "c": "3"}, {"b": "2", "c": "4", "d": "5"}) == ["a", "c", "d"]


def killed() -> dict[str, int]:
    """Kills at random moments of each stage in the committed table."""
    return {row.stage: row.tries for row in read_rows() if row.fault.startswith("SIGKILL at a random moment")}


def test_the_committed_table_has_lost_nothing() -> None:
    rows = read_rows()
    assert len(rows) > 10 and all(row.tries > 0 and row.lost == 0 for row in rows)
    assert killed().keys() <= set(stage_names()) and set(killed().values()) == {5}


@pytest.mark.skipif(not whole_suite(), reason="`make faults` makes the table whole")
def test_the_table_has_five_kills_of_every_stage() -> None:
    assert killed() == dict.fromkeys(stage_names(), 5), "run `make faults`"
