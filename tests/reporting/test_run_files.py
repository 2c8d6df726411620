"""A run is read from its files."""

from __future__ import annotations

from pathlib import Path

from anomend.reporting.run_files import read_curves, samples_while_training


def test_curves_are_joined_on_the_step(tmp_path: Path) -> None:
    folder = tmp_path / "plots" / "metrics"
    folder.mkdir(parents=True)
    (folder / "loss.tsv").write_text("step\tloss\n1\t0.5\n2\t0.25\n")
    (folder / "anomaly_rate.tsv").write_text("step\tanomaly_rate\n2\t0.1\n")
    curves = read_curves(tmp_path).set_index("step")
    assert curves.loc[2].to_dict() == {"anomaly_rate": 0.1, "loss": 0.25}
    assert curves["anomaly_rate"].isna().tolist() == [True, False]


def test_a_run_without_curves_has_none(tmp_path: Path) -> None:
    assert read_curves(tmp_path).empty and samples_while_training(tmp_path) == {}


def test_samples_are_listed_by_step(tmp_path: Path) -> None:
    folder = tmp_path / "plots" / "images" / "samples"
    folder.mkdir(parents=True)
    for step in (200, 1000):
        (folder / f"step_{step:06d}.png").touch()
    assert samples_while_training(tmp_path) == {200: folder / "step_000200.png", 1000: folder / "step_001000.png"}
