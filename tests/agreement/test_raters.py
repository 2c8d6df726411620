"""The stage `agreement` as it runs: on a survey's votes, a judge's scores and the measures' tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import save_file

from anomend.pictures.image_sets import ImageFolderWriter
from anomend.project.metric_files import read_metrics, write_metrics
from anomend.surveying.exclusion import ExclusionRules
from anomend.surveying.responses import COLUMNS, no_responses
from anomend.surveying.tally import per_pair, tally
from stages import agreement
from tests.parameters import values_in_force, write_params

PROMPTS = ("lying on the grass", "lying on the street")
PAIRS = [(prompt, seed) for prompt in PROMPTS for seed in range(8)]
TUNED_IS_RIGHT = [True] * 6 + [False] * 2 + [True] * 5 + [False] * 3
"""By pair: the anatomy measure's answer, whose other image has an arm too few."""
CONTRADICTED = PAIRS.index((PROMPTS[1], 2))
"""The one pair on which the judge contradicts all people."""
RULES = ExclusionRules(max_failed_catches=1, min_median_ms=500)


def votes(people: int) -> pd.DataFrame:
    """Everybody agrees with the anatomy, on balanced sides; the last one is unsure of the first pair."""
    rows = []
    for person in range(people):
        for number, ((prompt, seed), tuned) in enumerate(zip(PAIRS, TUNED_IS_RIGHT, strict=True)):
            left = "tuned" if (person + number) % 2 else "base"
            choice = "left" if tuned == (left == "tuned") else "right"
            if number == 0 and person == people - 1:
                choice = "unsure"
            rows.append((f"p{person}", f"q{number}", prompt, seed, left, choice, 2000, "real"))
    return pd.DataFrame(rows, columns=list(COLUMNS)) if rows else no_responses()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """All that the stage reads, but the survey."""
    params = values_in_force()
    write_params(tmp_path, params)
    plots = tmp_path / "metrics" / "plots"
    plots.mkdir(parents=True)
    for model in ("base", "tuned"):
        images, rows, features = ImageFolderWriter(tmp_path / "data" / "samples" / model), [], []
        # An image of a held-out prompt comes first: raters do not see it, and other features must not shift.
        cases = [("held_out", "standing", 0, True), *[("target", *pair, False) for pair in PAIRS]]
        for number, (group, prompt, seed, _) in enumerate(cases):
            name = f"{number}.png"
            images.add(name, np.zeros((4, 4, 3), np.uint8), text=prompt, prompt=prompt, seed=seed, group=group)
            right = number == 0 or TUNED_IS_RIGHT[number - 1] == (model == "tuned")
            rows.append((name, group, prompt, seed, int(not right), "" if right else "missing_arm"))
            # The tuned image is always nearer to the instance image, which lies along the first axis.
            features.append([1.0, 0.0] if model == "tuned" and number else [0.0, 1.0])
        images.close()
        columns = ["file_name", "group", "prompt", "seed", "anomalous", "anomalies"]
        pd.DataFrame(rows, columns=columns).to_csv(plots / f"images_{model}.csv", index=False)
        (tmp_path / "data" / "features" / model).mkdir(parents=True)
        stored = {"samples": np.array(features, np.float32), "instances": np.array([[1.0, 0.0]], np.float32)}
        save_file(stored, tmp_path / "data" / "features" / model / "features.safetensors")
    judged = [
        ("openai", *pair, float(tuned) if number != CONTRADICTED else 0.0)
        for number, (pair, tuned) in enumerate(zip(PAIRS, TUNED_IS_RIGHT, strict=True))
    ]
    pd.DataFrame(judged, columns=["judge", "prompt", "seed", "score"]).to_csv(plots / "judge_pairs.csv", index=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def answer(project: Path, responses: pd.DataFrame) -> None:
    """What the stage `survey` leaves behind for these responses."""
    folder = project / "metrics"
    write_metrics(folder / "survey.json", tally(responses, 0, rules=RULES), {})
    per_pair(responses, RULES).to_csv(folder / "plots" / "survey_pairs.csv", lineterminator="\n")


def test_people_a_judge_and_the_measures_on_the_same_pairs(project: Path) -> None:
    answer(project, votes(5))
    agreement.main()
    metrics = read_metrics(project / "metrics" / "agreement.json")
    assert metrics["people"] == {"n": 16}
    # People answer as the anatomy does; four of five votes and a half for the first pair change no choice.
    assert metrics["people__measure_anatomy"]["kappa"] == 1 and metrics["people__measure_anatomy"]["n"] == 16
    # One of 16 differs. The people choose tuned in 11 pairs, the judge in 10.
    chance = (11 * 10 + 5 * 6) / 16**2
    assert metrics["people__judge_openai"]["kappa"] == pytest.approx((15 / 16 - chance) / (1 - chance))
    # A measure that always says tuned agrees as often as chance has it.
    nearest = metrics["people__measure_nearest_instance"]
    assert nearest["agreement"] == pytest.approx(11 / 16) and nearest["kappa"] == pytest.approx(0)
    assert nearest["rank_correlation"] is None and "same score" in nearest["reason"]

    table = pd.read_csv(project / "metrics" / "plots" / "disagreements.csv")
    # The nearest instance contradicts on five pairs, and still the judge's contradiction of the people comes first.
    assert (table.loc[0, "prompt"], table.loc[0, "seed"]) == PAIRS[CONTRADICTED]
    assert (table.loc[0, "people"], table.loc[0, "judge_openai"]) == (1.0, 0.0)
    assert (table.loc[1, "prompt"], table.loc[1, "seed"], table.loc[1, "people"]) == (*PAIRS[0], 0.9)
    assert len(table) == 2 + 5
    confusion = pd.read_csv(project / "metrics" / "plots" / "agreement_confusion.csv")
    pair = confusion.query("first == 'people' and second == 'judge_openai' and pairs > 0")
    found = dict(zip(zip(pair["first_choice"], pair["second_choice"], strict=True), pair["pairs"], strict=True))
    assert found == {("base", "base"): 5, ("tuned", "base"): 1, ("tuned", "tuned"): 10}


def test_without_people_n_is_0_with_a_reason_and_the_rest_is_compared(project: Path) -> None:
    answer(project, no_responses())
    agreement.main()
    metrics = read_metrics(project / "metrics" / "agreement.json")
    assert metrics["people"]["n"] == 0 and "no responses" in metrics["people"]["reason"]
    assert not [name for name in metrics if name.startswith("people__")]
    assert metrics["judge_openai__measure_anatomy"]["n"] == 16


def test_people_who_are_all_excluded_are_none(project: Path) -> None:
    answer(project, votes(2).assign(reaction_ms=10))
    agreement.main()
    assert read_metrics(project / "metrics" / "agreement.json")["people"] == {"n": 0, "reason": "everybody is excluded"}


def test_without_judges_the_measures_stand_alone(project: Path) -> None:
    answer(project, no_responses())
    columns = pd.read_csv(project / "metrics" / "plots" / "judge_pairs.csv").columns
    pd.DataFrame(columns=columns).to_csv(project / "metrics" / "plots" / "judge_pairs.csv", index=False)
    agreement.main()
    metrics = read_metrics(project / "metrics" / "agreement.json")
    assert metrics["measure_anatomy__measure_nearest_instance"]["n"] == 16
    # No rater judged a pair, so there is no pair to show.
    assert pd.read_csv(project / "metrics" / "plots" / "disagreements.csv").empty
