"""The committed run is made again in a clone, and what differs is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from anomend.project.fresh_clone import reproduce, verdicts
from tests.clones import clone, run


@pytest.mark.slow
@pytest.mark.usefixtures("warm_interpreter")
def test_a_metric_changed_by_hand_is_found(tmp_path: Path) -> None:
    root = clone(tmp_path)
    path = root / "metrics" / "collect.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"images": 999}))
    verdict = json.loads((root / "metrics" / "verdict.json").read_text())["verdict"]
    run(root, "git", "add", "-A")
    run(root, "git", "commit", "-qm", "a metric by hand")
    assert "metrics/collect.json" in reproduce(root, tmp_path / "reproduced", ["collect"])
    assert verdicts(root, tmp_path / "reproduced") == (verdict, verdict)
