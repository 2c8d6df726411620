"""Pictures that people have labelled, as the single round of `train.method: labels`."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import torch
from diffusers import ModelMixin

from anomend.labelling.counting import RaterRules, counted_labels
from anomend.labelling.records import read_labels
from anomend.params.params import Params
from anomend.pictures.image_sets import load_image, read_imagefolder
from anomend.project.files import sha256_of
from anomend.training.rounds import GetPictures, Pictures

RIGHT = {"nothing": 1.0, "unsure": 0.5, "wrong": 0.0}
"""How far an answer says that a picture is right."""
MODELS = ("base", "tuned")
"""Sources whose pictures have a seed that may be one that results are judged by."""


def labelled_pictures(params: Params, pictures: Path, labels: Path) -> tuple[GetPictures, str]:
    """Pictures of the target prompts with the mean of their labels as reward, and a digest of both.

    Args:
        params: all parameters; `label` has the rules by which raters are left out.
        pictures: an image set; pictures of other prompts, and those without a label, are left out.
        labels: a folder of label files.

    Raises:
        ValueError: a picture or label is broken, a picture has another size than the base's, or a seed that results are
            judged by, or all labels say the same.
    """
    table = read_imagefolder(pictures)
    prompts = table["prompt"].fillna(table["text"]) if "prompt" in table else table["text"]
    table = table.assign(prompt=prompts, picture=[sha256_of(path) for path in table["path"]])
    table = table[table["prompt"].isin(params.prompts.target)].drop_duplicates("picture")
    rules = RaterRules(max_failed_gold=params.label.max_failed_gold, min_median_ms=params.label.min_median_ms)
    counted = counted_labels(read_labels(labels), table, rules)
    rewards = counted["answer"].map(RIGHT).groupby(counted["picture"]).mean()
    table = table[table["picture"].isin(rewards.index)].sort_values("file_name")
    if rewards.nunique() < 2:
        raise ValueError(
            f"the labels in {labels} call {len(table)} pictures of the target prompts in {pictures} "
            f"{'all the same' if len(table) else 'anything'}: right and wrong ones are needed; label more of them"
        )
    _refuse_judged_seeds(params, table, pictures)
    images = [load_image(path) for path in table["path"]]
    side = params.base.resolution
    for path, image in zip(table["path"], images, strict=True):
        if image.shape != (side, side, 3):
            raise ValueError(f"{path} is {image.shape[1]} x {image.shape[0]}, and base.resolution is {side}")
    found = Pictures(
        ids=list(table["file_name"]),
        prompts=list(table["prompt"]),
        images=images,
        rewards=torch.tensor(rewards[table["picture"]].to_list(), dtype=torch.float64),
    )

    def get(transformer: ModelMixin, number: int) -> Pictures:
        return found

    rows = zip(found.ids, found.prompts, table["picture"], found.rewards.tolist(), strict=True)
    return get, sha256_of(json.dumps(list(rows)))


def _refuse_judged_seeds(params: Params, table: pd.DataFrame, pictures: Path) -> None:
    """No picture that is judged, or watched while training, is trained on."""
    if "seed" not in table or "source" not in table:
        return
    seeds = table.loc[table["source"].isin(MODELS), ["file_name", "seed"]].dropna()
    for parameter, used in params.seed_ranges().items():
        taken = seeds[seeds["seed"].astype(int).isin(used)]
        if parameter in ("sample.first_seed", "train.monitor.first_seed") and len(taken):
            row = taken.iloc[0]
            raise ValueError(
                f"{pictures / row['file_name']} has seed {int(row['seed'])}, one of {parameter} = {used.start}: the "
                "result is judged by these; label pictures of other seeds, or move the parameter"
            )
