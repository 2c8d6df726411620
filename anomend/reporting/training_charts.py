"""Charts of a training over its steps: losses, and how often the target prompts were anomalous while it ran."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from anomend.reporting.charts import BASE_COLOUR, INK, STYLE, TUNED_COLOUR, as_svg, new_chart
from anomend.statistics.rate import Rate

_HEIGHT = 2.6
_MAX_POINTS = 400


def loss_chart(train_loss: pd.DataFrame, name: str = "loss", *, learned: str = "instance images") -> str:
    """Training loss over the steps, as SVG.

    Args:
        train_loss: columns step, loss, and prior_loss where class images were used. Long runs are averaged over
            stretches of equal length, at most 400 of them.
        name: prefix of the ids in the SVG, which must differ between the charts of a page.
        learned: the images that the column `loss` is about.

    Raises:
        ValueError: a column is missing, or there is no step.
    """
    for column in ("step", "loss"):
        if column not in train_loss.columns or train_loss.empty:
            raise ValueError(f"the training curve has no {column}: run the train stage")
    with matplotlib.rc_context(STYLE):
        chart, axes = new_chart(_HEIGHT)
        series = (("loss", learned, TUNED_COLOUR), ("prior_loss", "class images (prior)", BASE_COLOUR))
        for column, label, colour in series:
            if column in train_loss.columns and train_loss[column].notna().any():
                rows = train_loss[["step", column]].dropna()
                axes.plot(*_binned(rows, 1), color=colour, linewidth=0.6, alpha=0.45)
                dashes = "-" if column == "loss" else "--"
                axes.plot(*_binned(rows, max(1, len(rows) // 25)), dashes, color=colour, linewidth=1.8, label=label)
        axes.set_xlabel("optimizer step")
        axes.set_ylabel("loss")
        axes.set_ylim(bottom=0)
        axes.legend(loc="upper right")
        return as_svg(chart, name)


def validation_chart(curves: pd.DataFrame, kept_step: int | None, name: str = "validation") -> str:
    """The loss on fixed samples, noise and noise levels at each evaluation, as SVG.

    Args:
        curves: columns step and validation_loss, which is missing between evaluations.
        kept_step: step whose weights were kept, marked; None: not known.
        name: prefix of the ids in the SVG.
    """
    rows = curves[["step", "validation_loss"]].dropna()
    with matplotlib.rc_context(STYLE):
        chart, axes = new_chart(_HEIGHT)
        axes.plot(rows["step"], rows["validation_loss"], "-o", color=TUNED_COLOUR, linewidth=1.6, markersize=4)
        _mark(axes, kept_step)
        axes.set_xlabel("optimizer step")
        axes.set_ylabel("validation loss")
        axes.margins(y=0.25)
        return as_svg(chart, name)


def anomaly_chart(
    curves: pd.DataFrame,
    kept_step: int | None,
    *,
    rates: Mapping[int, Rate] | None = None,
    base_rate: float | None = None,
    name: str = "evaluations",
) -> str:
    """The target prompts' anomaly rate at each evaluation while training, as SVG.

    Args:
        curves: columns step and anomaly_rate (0 to 1), which is missing between evaluations.
        kept_step: step whose weights were kept, marked; None: not known.
        rates: by step, for their intervals; None: no intervals.
        base_rate: the base model's rate, drawn as a line; None: not known.
        name: prefix of the ids in the SVG.
    """
    rows = curves[["step", "anomaly_rate"]].dropna()
    steps, shares = rows["step"].to_numpy(dtype=float), rows["anomaly_rate"].to_numpy(dtype=float)
    with matplotlib.rc_context(STYLE):
        chart, axes = new_chart(_HEIGHT, top=0.3)
        if base_rate is not None:
            axes.axhline(
                100 * base_rate, color=BASE_COLOUR, linestyle="--", linewidth=1.6, label="base model, as judged"
            )
        if rates:
            low, high = ([100 * getattr(rate, end) for rate in rates.values()] for end in ("ci_low", "ci_high"))
            axes.vlines(list(rates), low, high, color=TUNED_COLOUR, linewidth=1.4)
        axes.plot(steps, 100 * shares, "-o", color=TUNED_COLOUR, linewidth=1.6, markersize=4, label="while training")
        _mark(axes, kept_step)
        axes.set_xlabel("optimizer step")
        axes.set_ylabel("anomalous, %")
        axes.set_ylim(0, 100)
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0)
        return as_svg(chart, name)


def has_curve(curves: pd.DataFrame | None, column: str) -> bool:
    """Whether a curve was logged."""
    return curves is not None and column in curves.columns and bool(curves[column].notna().any())


def _mark(axes: Axes, step: int | None) -> None:
    """A dotted line at the step whose weights were kept."""
    if step is not None:
        axes.axvline(step, color=INK, linestyle=":", linewidth=1.2)
        axes.annotate("kept", (step, 1), (3, -9), xycoords=("data", "axes fraction"), textcoords="offset points")


def _binned(rows: pd.DataFrame, window: int) -> tuple[np.ndarray, np.ndarray]:
    """Means over stretches of `window` rows, longer where more than `_MAX_POINTS` would be left."""
    parts = min(_MAX_POINTS, max(1, len(rows) // window))
    steps, values = (np.array_split(rows[column].to_numpy(dtype=float), parts) for column in rows.columns)
    return np.array([part.mean() for part in steps]), np.array([part.mean() for part in values])
