"""The curves of a training run, as dvclive's plots."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw

from anomend.pictures.sheet import make_sheet
from anomend.training.evaluations import EvaluationHistory
from anomend.training.round_reports import RoundReport, diversity

if TYPE_CHECKING:
    from dvclive import Live

GRID_WIDTH = 1024
GRID_IMAGES = 8
"""Grids show this many of an evaluation's samples, scaled down to this width in pixels, because git stores them."""

WRITE_EVERY = 1.0
"""Seconds between writes: dvclive opens a file for every metric, which would slow small steps down noticeably."""

Track = Callable[[Mapping[str, float], int], None]
"""Passes the metrics of a step on to other trackers, such as `Accelerator.log`."""


def curves(folder: Path) -> Live:
    """dvclive without DVC's repository, writing to a folder.

    The stage does not need the repository. Opening it takes memory and time, and writes to a record that a full disk
    corrupts. `_init_dvc` is the only method that opens it (dvclive 3.49).
    """
    # Imported at first use: a trainer that writes no curves works without the package.
    from dvclive import Live

    class Curves(Live):
        def _init_dvc(self) -> None:
            self._dvc_file = "dvc.yaml"

    return Curves(str(folder), dvcyaml=None, save_dvc_exp=False, report=None)


class TrainingLog:
    """Writes `<folder>/plots/metrics/<name>.tsv` and sample grids in `<folder>/plots/images/`.

    A resumed run writes them again from its checkpoint, so that they equal those of an uninterrupted run.
    """

    def __init__(self, folder: Path | None, track: Track | None = None) -> None:
        """Args: folder: emptied first; None: write nothing. track: called with all metrics of a step."""
        self.live = curves(folder) if folder else None
        self.track = track
        self._waiting: list[tuple[int, Mapping[str, float]]] = []
        self._written = time.monotonic()

    def replay(
        self, rows: list[dict[str, float]], history: EvaluationHistory, rounds: Sequence[RoundReport] = ()
    ) -> None:
        """Write the curves, rounds and evaluations of a checkpoint; other trackers have them, and are not called."""
        track, self.track = self.track, None
        for row in rows:
            self.step(row)
        for index in range(len(history)):
            self.evaluation(history, index)
        for count in range(1, len(rounds) + 1):
            self.round(rounds[:count])
        self.track = track

    def step(self, row: Mapping[str, float]) -> None:
        """Log a row of the loss curve."""
        self._log({name: value for name, value in row.items() if name != "step"}, int(row["step"]))

    def round(self, rounds: Sequence[RoundReport]) -> None:
        """Log the last of some rounds."""
        metrics = {"round_anomaly_rate": rounds[-1].anomaly_rate, "round_diversity": diversity(rounds)}
        metrics |= {"round_second_anomaly_rate": rounds[-1].second_anomaly_rate}
        self._log({name: value for name, value in metrics.items() if value is not None}, rounds[-1].step)

    def evaluation(self, history: EvaluationHistory, index: int) -> None:
        """Log one evaluation, with its samples as one picture."""
        step, evaluation, loss_by_sigma = history.steps[index], history.evaluations[index], history.loss_by_sigma[index]
        metrics = {
            "anomaly_rate": evaluation.anomaly_rate,
            "held_out_anomaly_rate": evaluation.held_out_rate,
            "validation_loss": evaluation.validation_loss,
        }
        bins = len(loss_by_sigma)
        for place, loss in enumerate(loss_by_sigma):
            if not np.isnan(loss):
                metrics[f"loss_by_sigma/{place / bins:.1f}_to_{(place + 1) / bins:.1f}"] = loss
        self._log({name: value for name, value in metrics.items() if value is not None}, step)
        if self.live and evaluation.images:
            self._write(self.live)
            self.live.log_image(f"samples/step_{step:06d}.png", grid(evenly_spread(evaluation.images, GRID_IMAGES)))

    def close(self) -> None:
        """Write what is left. dvclive's own summary is deleted, because metric files have one writer."""
        if self.live:
            self._write(self.live)
            pictures = Path(self.live.plots_dir) / "images"
            if not any(path.is_file() for path in pictures.rglob("*")):
                # The folder is an output of the stage, and git keeps no empty folder: without a file in it, every other
                # clone would train again.
                self.live.log_image("none.png", words("No images were sampled while training (train.monitor)."))
            self.live.end()
            Path(self.live.metrics_file).unlink(missing_ok=True)

    def _log(self, metrics: Mapping[str, float], step: int) -> None:
        if self.track:
            self.track(metrics, step)
        if self.live:
            self._waiting.append((step, metrics))
            if time.monotonic() - self._written >= WRITE_EVERY:
                self._write(self.live)

    def _write(self, live: Live) -> None:
        for step, metrics in self._waiting:
            live.step = step
            for name, value in metrics.items():
                live.log_metric(name, float(f"{value:.6g}"))
        self._waiting, self._written = [], time.monotonic()


def words(text: str) -> Pillow.Image:
    """A small picture of one line of text."""
    picture = Pillow.new("RGB", (480, 48), "white")
    ImageDraw.Draw(picture).text((12, 16), text, fill="black")
    return picture


def evenly_spread(images: tuple[np.ndarray, ...], count: int) -> tuple[np.ndarray, ...]:
    """At most `count` of the images, spread evenly, so that each prompt of an ordered list has its share."""
    count = min(count, len(images))
    return tuple(images[place * len(images) // count] for place in range(count))


def grid(images: tuple[np.ndarray, ...], columns: int = 8) -> Pillow.Image:
    """Images of one size side by side, at most `GRID_WIDTH` pixels wide."""
    pictures = [Pillow.fromarray(image) for image in images]
    sheet, _ = make_sheet(pictures, columns=columns, side=images[0].shape[0], background="black")
    if sheet.width > GRID_WIDTH:
        sheet = sheet.resize((GRID_WIDTH, round(sheet.height * GRID_WIDTH / sheet.width)), Pillow.Resampling.LANCZOS)
    return sheet
