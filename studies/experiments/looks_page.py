"""The page of the study of looks, with the fewest images that any test could take."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from studies.experiments.operating_characteristics import HELD_OUT_CORRELATION, cell_shares
from studies.experiments.truths import DESIGNS, GOOD, THRESHOLDS, WITH_LOOKS, Design


def fixed_misses(fixed: pd.DataFrame) -> float:
    """Share of clearly good runs of the design for looks that one look leaves open.

    Args:
        fixed: operating_characteristics.csv, of designs with one look.
    """
    good = fixed[(fixed["design"] == str(WITH_LOOKS)) & (fixed["truth"] == GOOD.name)]
    return 1 - float(good["corrected"].iloc[0])


def fewest_seeds(design: Design, miss: float) -> tuple[float, float]:
    """Seeds of a target and of a held-out prompt that any sequential test of the clearly good truth takes on average.

    Wald's inequality (1945, doi:10.1214/aoms/1177731118) bounds the mean number of pairs from below by the divergence
    of the errors over the Kullback-Leibler divergence of the truth from the nearest one at the limit.

    Args:
        design: its prompts.
        miss: probability that the verdict is not `corrected`.
    """

    def divergence(of: float, at: float) -> float:
        return of * np.log(of / at) + (1 - of) * np.log((1 - of) / (1 - at))

    error, each = 1 - THRESHOLDS.level, miss / design.held_out
    shares = np.asarray(cell_shares(GOOD.held_out_base, GOOD.held_out_base, HELD_OUT_CORRELATION))
    _, down, up, _ = shares
    # Pairs at a rise of 15 points: only the base is anomalous in any share of them.
    limit = THRESHOLDS.worst_held_out_rise
    downs = np.linspace(1e-6, (1 - limit) / 2 - 1e-6, 20_001)
    rest = 1 - down - up
    nearest = down * np.log(down / downs) + up * np.log(up / (downs + limit))
    nearest += rest * np.log(rest / (1 - 2 * downs - limit))
    target = divergence(1 - miss, error) / divergence(GOOD.tuned, THRESHOLDS.max_target_rate)
    return target / design.targets, divergence(1 - each, error) / float(nearest.min())


def page(table: pd.DataFrame, fixed: pd.DataFrame, shares: Sequence[float], how: str) -> str:
    """The table for reading, with the largest errors first.

    Args:
        table: one row per cell.
        fixed: the same cells with one look, operating_characteristics.csv.
        shares: the looks.
        how: how it was made, in words.
    """
    errors = {
        "corrected": table.loc[table["truth_ok"] != "yes", "corrected"].max(),
        "not_corrected": table.loc[table["truth_ok"] == "yes", "not_corrected"].max(),
    }
    lines = ["| design | truth | within | corrected | inconclusive | not corrected | images | of the fixed | runs |"]
    lines.append("|---|---|---|---|---|---|---|---|---|")
    of_design = {str(design): design.images for design in DESIGNS}
    for row in table.itertuples(index=False):
        rates = f"{row.corrected:.4f} | {row.inconclusive:.4f} | {row.not_corrected:.4f}"
        mean = float(str(row.mean_images))
        images = f"{mean:.0f} | {mean / of_design[str(row.design)]:.1%}"
        lines.append(f"| {row.design} | {row.truth} | {row.truth_ok} | {rates} | {images} | {row.simulations} |")
    least = fewest_seeds(WITH_LOOKS, fixed_misses(fixed))
    bound = 2 * (WITH_LOOKS.targets * least[0] + WITH_LOOKS.held_out * least[1]) / WITH_LOOKS.images
    limit = (
        f"No sequential test of the same error, which passes the clearly good truth as often as the fixed design"
        f" {WITH_LOOKS}, can do with less than {bound:.0%} of its images: {least[0]:.0f} seeds of each target prompt"
        f" for the target rate, {least[1]:.0f} of each held-out prompt for its own rise (`fewest_seeds`)."
    )
    looks = ", ".join(f"{share:.0%}" for share in shares)
    most = (
        f"Looks at {looks} of the seeds. Largest share of `corrected` where the truth is not within all thresholds:"
        f" {errors['corrected']:.4f}. Largest share of `not_corrected` where it is: {errors['not_corrected']:.4f}."
    )
    title = "# Operating characteristics of the verdict with looks"
    return "\n".join([title, "", most, "", limit, "", *lines, "", how, ""])
