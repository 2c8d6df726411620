"""The scores of every rater: people together, each judge, and two measures.

A score of a pair of images is from 0 (base) to 1 (tuned), 1/2 for a tie. Scores are indexed by (prompt, seed).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from anomend.agreement.pairs import KEYS
from anomend.measuring.memorisation import nearest_instance_similarity
from anomend.measuring.set_metrics import Features


def people_scores(survey_pairs: pd.DataFrame) -> pd.Series:
    """Share of people's votes for the tuned image; `unsure` counts half. Empty before anyone has answered.

    Args:
        survey_pairs: one row per pair with `prompt`, `seed` and the votes `tuned`, `base` and `unsure`.
    """
    votes = survey_pairs["tuned"] + survey_pairs["base"] + survey_pairs["unsure"]
    shares = (survey_pairs["tuned"] + 0.5 * survey_pairs["unsure"]) / votes
    return shares.set_axis(pd.MultiIndex.from_frame(survey_pairs[KEYS]))


def judge_scores(judge_pairs: pd.DataFrame) -> dict[str, pd.Series]:
    """Each judge's scores as `judge_<name>`, in alphabetical order.

    Args:
        judge_pairs: one row per judge and pair with `judge`, `prompt`, `seed` and `score`.
    """
    judges = judge_pairs.groupby("judge", sort=True)
    return {f"judge_{name}": rows.set_index(KEYS)["score"] for name, rows in judges}


def anatomy_scores(images: Mapping[str, pd.DataFrame]) -> pd.Series:
    """The image with fewer anomalies wins; images on which no detector ran are left out.

    Args:
        images: by model (`base`, `tuned`), one row per image with `group`, `prompt`, `seed`, `anomalous`, `anomalies`.
    """
    counts = {}
    for model, table in images.items():
        rows = table.query("group == 'target' and anomalous.notna()")
        anomalies = [len(str(kinds).split()) for kinds in rows["anomalies"].fillna("")]
        counts[model] = pd.Series(anomalies, pd.MultiIndex.from_frame(rows[KEYS]), dtype=float)
    return _wins(-counts["base"], -counts["tuned"])


def nearest_instance_scores(
    samples: Mapping[str, pd.DataFrame], features: Mapping[str, Features], instances: Features
) -> pd.Series:
    """The image that is nearer to an instance image wins.

    Args:
        samples: by model (`base`, `tuned`), its image set with `group`, `prompt` and `seed`.
        features: by model, features of all its samples, shape (n, d).
        instances: features of the instance images, shape (m, d).
    """
    nearest = {}
    for model, table in samples.items():
        target = table["group"] == "target"
        similarity = nearest_instance_similarity(features[model][target.to_numpy()], instances)
        nearest[model] = pd.Series(similarity, pd.MultiIndex.from_frame(table.loc[target, KEYS]))
    return _wins(nearest["base"], nearest["tuned"])


def _wins(base: pd.Series, tuned: pd.Series) -> pd.Series:
    """1 where the tuned image has the higher value, 0 where the base image has, 1/2 where they are equal."""
    both = pd.concat([base.rename("base"), tuned.rename("tuned")], axis=1, join="inner")
    return pd.Series((np.sign((both["tuned"] - both["base"]).to_numpy()) + 1) / 2, both.index)
