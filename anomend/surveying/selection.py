"""Which images of the samples enter the survey, and which responses are about today's samples."""

from __future__ import annotations

import pandas as pd

from anomend.pictures.image_sets import load_image
from anomend.project.seeding import numpy_generator
from anomend.surveying.images import pair_name
from anomend.surveying.site import SurveyImage


def survey_images(table: pd.DataFrame) -> list[SurveyImage]:
    """Read the images of a table with columns `prompt`, `seed`, `path`, in its order."""
    rows = zip(table["prompt"], table["seed"], table["path"], strict=True)
    return [SurveyImage(str(prompt), int(seed), load_image(path)) for prompt, seed, path in rows]


def draw_images(table: pd.DataFrame, count: int, seed: int) -> pd.DataFrame:
    """Draw images at random, independently of the order of the rows.

    Args:
        table: columns `prompt`, `seed`, `path`.
        count: number of images.
        seed: seed of the draw.

    Raises:
        ValueError: there are fewer.
    """
    if count > len(table):
        raise ValueError(f"{count} catch pairs need as many held-out images, there are {len(table)}: lower the number")
    ordered = table.sort_values(["prompt", "seed"], ignore_index=True)
    return ordered.iloc[numpy_generator(seed, "survey catch pairs").permutation(len(ordered))[:count]]


def about_samples(responses: pd.DataFrame, base: pd.DataFrame, tuned: pd.DataFrame) -> pd.Series:
    """Which responses are about images that are in the base and tuned samples today, by their pixels.

    A vote on images of an earlier model says nothing about this one. Catch pairs compare no models, and always count.

    Args:
        responses: the columns of `responses.COLUMNS`.
        base: the base model's samples: columns `prompt`, `seed`, `path`.
        tuned: the tuned model's, likewise.

    Returns:
        True or False for each row of the responses.
    """
    keys = ["prompt", "seed"]
    shown = responses.loc[responses["kind"] != "catch", keys].drop_duplicates()
    both = base[[*keys, "path"]].merge(tuned[[*keys, "path"]], on=keys, suffixes=("_base", "_tuned"))
    present = both.merge(shown.astype({"seed": both["seed"].dtype}), on=keys)
    columns = zip(*(present[name] for name in [*keys, "path_base", "path_tuned"]), strict=True)
    names = [
        pair_name(prompt, seed, base=load_image(first), tuned=load_image(second))
        for prompt, seed, first, second in columns
    ]
    return responses["pair"].isin(names) | (responses["kind"] == "catch")
