"""Stage `agreement`: people, judges and measures on the same pairs of images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from safetensors.numpy import load_file

from anomend.agreement.pairs import KEYS, agreement, confusion_rows, disagreements
from anomend.measuring.memorisation import nearest_instance_similarity
from anomend.params.resolved import load_params
from anomend.pictures.image_sets import read_imagefolder
from anomend.project.metric_files import METRICS, library_versions, read_metrics, write_metrics
from anomend.project.run import run_stage

SAMPLES, FEATURES, PLOTS = Path("data/samples"), Path("data/features"), METRICS / "plots"
MODELS = ("base", "tuned")
MOST_DISAGREEMENTS = 24


def people() -> pd.Series:
    """Share of the votes for the tuned image, unsure as half; empty while nobody has answered."""
    table = pd.read_csv(PLOTS / "survey_pairs.csv")
    votes = table["tuned"] + table["base"] + table["unsure"]
    return ((table["tuned"] + 0.5 * table["unsure"]) / votes).set_axis(pd.MultiIndex.from_frame(table[KEYS]))


def judges() -> dict[str, pd.Series]:
    """Each judge's scores."""
    table = pd.read_csv(PLOTS / "judge_pairs.csv")
    return {str(name): rows.set_index(KEYS)["score"] for name, rows in table.groupby("judge", sort=True)}


def measures() -> dict[str, pd.Series]:
    """What two measures would answer: fewer anomalies win, where somebody looked; nearer to an instance image wins."""
    anomalies, nearest = [], []
    for model in MODELS:
        table = pd.read_csv(PLOTS / f"images_{model}.csv").query("group == 'target' and anomalous.notna()")
        counts = pd.Series([len(str(found).split()) for found in table["anomalies"].fillna("")])
        anomalies.append(counts.set_axis(pd.MultiIndex.from_frame(table[KEYS])))
        samples = read_imagefolder(SAMPLES / model)
        target = samples["group"] == "target"
        stored = load_file(FEATURES / model / "features.safetensors")
        similarity = nearest_instance_similarity(stored["samples"][target.to_numpy()], stored["instances"])
        nearest.append(pd.Series(similarity, pd.MultiIndex.from_frame(samples.loc[target, KEYS])))
    return {
        "measure_anatomy": _wins(anomalies[0], anomalies[1], lower=True),
        "measure_nearest_instance": _wins(nearest[0], nearest[1], lower=False),
    }


def _wins(base: pd.Series, tuned: pd.Series, *, lower: bool) -> pd.Series:
    """1 where the tuned image has the better figure, 0 where the base image has, 1/2 where they are equal."""
    both = pd.concat([base.rename("base"), tuned.rename("tuned")], axis=1, join="inner")
    difference = both["base"] - both["tuned"] if lower else both["tuned"] - both["base"]
    return pd.Series((np.sign(difference.to_numpy()) + 1) / 2, both.index)


def figures_of(raters: dict[str, pd.Series], seed: int, reasons: Sequence[str]) -> dict[str, Any]:
    """The content of metrics/agreement.json, without provenance."""
    asked = raters["people"]
    figures: dict[str, Any] = {"people": {"n": len(asked)} | ({"reason": "; ".join(reasons)} if reasons else {})}
    known = {name: scores for name, scores in raters.items() if len(scores)}
    return figures | agreement(known, seed)


def main() -> None:
    seed = load_params().judge.seed
    survey = read_metrics(METRICS / "survey.json")
    raters = {"people": people(), **{f"judge_{name}": scores for name, scores in judges().items()}, **measures()}
    reasons = [str(survey["reason"])] if survey.get("reason") else []
    figures = figures_of(raters, seed, reasons)
    known = {name: scores for name, scores in raters.items() if len(scores)}
    confusion_rows(known).to_csv(PLOTS / "agreement_confusion.csv", index=False, lineterminator="\n")
    # Measures score every pair, people and judges a part of them: only pairs that one of these looked at are shown.
    opinions = [name for name in known if not name.startswith("measure_")]
    looked = {pair for name in opinions for pair in known[name].index}
    shown = {name: scores[[pair in looked for pair in scores.index]] for name, scores in known.items()}
    table = disagreements(shown, MOST_DISAGREEMENTS, opinions)
    table.to_csv(PLOTS / "disagreements.csv", index=False, lineterminator="\n")
    provenance = {"raters": sorted(known), "seed": seed, **library_versions("scipy", "pandas")}
    write_metrics(METRICS / "agreement.json", figures, provenance)


if __name__ == "__main__":
    run_stage("agreement", main)
