"""A detector's passport: it holds the sensitivity and specificity that were planted, by model."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from anomend.people.answers import read_answers
from anomend.people.estimates import errors_of
from anomend.people.passport import passport
from tests.people.made import labels_of, pictures

SAMPLES = pictures({("target", "grass"): 150, ("held_out", "sofa"): 50})
KEYS = ["group", "prompt", "seed", "model"]
RATERS = {"r1": 0.05, "r2": 0.1, "r3": 0.2}


def planted(rng: np.random.Generator) -> pd.Series:
    rates = SAMPLES["model"].map({"base": 0.7, "tuned": 0.2}).where(SAMPLES["group"] == "target", 0.1)
    return pd.Series(rng.random(len(SAMPLES)) < rates)


def seen_by(wrong: pd.Series, worth: dict[str, tuple[float, float]], rng: np.random.Generator) -> pd.Series:
    sensitivity, specificity = (
        SAMPLES["model"].map({model: pair[side] for model, pair in worth.items()}) for side in (0, 1)
    )
    chance = np.where(wrong, sensitivity, 1 - specificity)
    return pd.Series((rng.random(len(SAMPLES)) < chance).astype(float), index=pd.MultiIndex.from_frame(SAMPLES[KEYS]))


def test_it_holds_what_was_planted_in_nineteen_of_twenty_runs() -> None:
    worth = {"base": (0.9, 0.95), "tuned": (0.5, 0.95)}
    held = {(model, name): 0 for model in worth for name in ("sensitivity", "specificity")}
    for seed in range(40):
        rng = np.random.default_rng(seed)
        wrong = planted(rng)
        answers = read_answers(labels_of(SAMPLES, wrong, RATERS, rng=rng), SAMPLES)
        found = passport(answers, errors_of(answers), seen_by(wrong, worth, rng), "objects:x@y")
        assert found["base"]["pictures"] == found["tuned"]["pictures"] == 200
        for model, pair in worth.items():
            for name, truth in zip(("sensitivity", "specificity"), pair, strict=True):
                entry = found[model][name]
                held[model, name] += entry["ci_low"] <= truth <= entry["ci_high"]
    # Of 40 runs with a coverage of 94%, 34 or fewer hold in 2%.
    assert min(held.values()) >= 34, held


def test_too_few_wrong_pictures_tell_no_sensitivity() -> None:
    rng = np.random.default_rng(0)
    nothing = pd.Series(np.zeros(len(SAMPLES), dtype=bool))
    wrong = nothing.where(SAMPLES["model"] == "tuned", np.arange(len(SAMPLES)) % 3 == 0)
    answers = read_answers(labels_of(SAMPLES, wrong, {"r1": 0.001, "r2": 0.001}, rng=rng), SAMPLES)
    found = passport(answers, errors_of(answers), seen_by(wrong, {"base": (1, 1), "tuned": (1, 1)}, rng), "x")
    assert found["tuned"]["sensitivity"]["value"] is None
    assert "people found 0 such pictures: it takes 5" in found["tuned"]["sensitivity"]["reason"]
    assert found["tuned"]["specificity"]["value"] == pytest.approx(1.0, abs=0.02)
