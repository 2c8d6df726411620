"""The curves of a training, as dvclive's plots."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image as Pillow

from anomend.pictures.sheet import make_sheet
from anomend.training.monitoring import Looks


@contextmanager
def _as_if_missing(package: str) -> Iterator[None]:
    """Inside, importing a package that is not imported yet fails as if it were not installed."""
    if package in sys.modules:
        yield
        return
    sys.modules[package] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[package]


# dvclive takes pandas where it finds it, for tables of a kind that is not logged here: 32 MiB of a training's memory.
with _as_if_missing("pandas"):
    from dvclive import Live

GRID_WIDTH = 1024
GRID_IMAGES = 8
"""Sample grids show this many of a look's images, scaled down to this width in pixels, since git keeps them."""

WRITE_EVERY = 1.0
"""Seconds between writings: dvclive opens a file for every figure, which takes a share of a small step."""

Track = Callable[[Mapping[str, float], int], None]
"""Passes figures of a step on to other trackers, such as `Accelerator.log`."""


class Curves(Live):
    """dvclive's files without DVC's repository: a stage needs nothing of it, and opening it takes memory and time, and
    writes to a record that a full disk breaks. `_init_dvc` is all that opens it (dvclive 3.49)."""

    def _init_dvc(self) -> None:
        self._dvc_file = "dvc.yaml"


class TrainingLog:
    """Writes `<folder>/plots/metrics/<name>.tsv` and sample grids under `<folder>/plots/images/`.

    A resumed run writes them anew from what its checkpoint holds, so that they are those of an uninterrupted run.
    """

    def __init__(self, folder: Path | None, track: Track | None = None) -> None:
        """Args: folder: emptied first; None: write nothing. track: told of every figure as it comes."""
        self.live = Curves(str(folder), dvcyaml=None, save_dvc_exp=False, report=None) if folder else None
        self.track = track
        self._waiting: list[tuple[int, Mapping[str, float]]] = []
        self._written = time.monotonic()

    def replay(self, rows: list[dict[str, float]], looks: Looks) -> None:
        """Write what a checkpoint holds; other trackers, which have it already, are not told again."""
        track, self.track = self.track, None
        for row in rows:
            self.step(row)
        for index in range(len(looks.steps)):
            self.look(looks, index)
        self.track = track

    def step(self, row: Mapping[str, float]) -> None:
        """Log a row of the loss curve."""
        self._log({name: value for name, value in row.items() if name != "step"}, int(row["step"]))

    def look(self, looks: Looks, index: int) -> None:
        """Log one look, and its samples as one picture."""
        step, look = looks.steps[index], looks.looks[index]
        figures = {"anomaly_rate": look.anomaly_rate, "validation_loss": look.validation_loss}
        bins = len(looks.by_sigma[index])
        for place, loss in enumerate(looks.by_sigma[index]):
            if not np.isnan(loss):
                figures[f"loss_by_sigma/{place / bins:.1f}_to_{(place + 1) / bins:.1f}"] = loss
        self._log({name: value for name, value in figures.items() if value is not None}, step)
        if self.live and look.images:
            self._write(self.live)
            self.live.log_image(f"samples/step_{step:06d}.png", grid(evenly_spread(look.images, GRID_IMAGES)))

    def close(self) -> None:
        """End; dvclive's own summary is removed, since metric files have one writer."""
        if self.live:
            self._write(self.live)
            self.live.end()
            Path(self.live.metrics_file).unlink(missing_ok=True)

    def _log(self, figures: Mapping[str, float], step: int) -> None:
        if self.track:
            self.track(figures, step)
        if self.live:
            self._waiting.append((step, figures))
            if time.monotonic() - self._written >= WRITE_EVERY:
                self._write(self.live)

    def _write(self, live: Live) -> None:
        for step, figures in self._waiting:
            live.step = step
            for name, value in figures.items():
                live.log_metric(name, float(f"{value:.6g}"))
        self._waiting, self._written = [], time.monotonic()


def evenly_spread(images: tuple[np.ndarray, ...], count: int) -> tuple[np.ndarray, ...]:
    """At most `count` of the images, so that each prompt of an ordered list has its share."""
    count = min(count, len(images))
    return tuple(images[place * len(images) // count] for place in range(count))


def grid(images: tuple[np.ndarray, ...], columns: int = 8) -> Pillow.Image:
    """Images of one size side by side, at most `GRID_WIDTH` pixels wide."""
    pictures = [Pillow.fromarray(image) for image in images]
    sheet, _ = make_sheet(pictures, columns=columns, side=images[0].shape[0], background="black")
    if sheet.width > GRID_WIDTH:
        sheet = sheet.resize((GRID_WIDTH, round(sheet.height * GRID_WIDTH / sheet.width)), Pillow.Resampling.LANCZOS)
    return sheet
