"""Stage `agreement`: people, judges and measures on the same pairs of images."""

from __future__ import annotations

import pandas as pd
from safetensors.numpy import load_file

from anomend.agreement.pairs import agreement_metrics, confusion_rows, disagreements
from anomend.agreement.raters import anatomy_scores, judge_scores, nearest_instance_scores, people_scores
from anomend.params.resolved import load_params
from anomend.pictures.image_sets import read_imagefolder
from anomend.project.metric_files import library_versions, read_metrics, write_metrics
from anomend.project.paths import FEATURES, METRICS, MODELS, PLOTS, SAMPLES
from anomend.project.run import run_stage

MOST_DISAGREEMENTS = 24


def main() -> None:
    seed = load_params().judge.seed
    features = {model: load_file(FEATURES / model / "features.safetensors") for model in MODELS}
    raters = {
        "people": people_scores(pd.read_csv(PLOTS / "survey_pairs.csv")),
        **judge_scores(pd.read_csv(PLOTS / "judge_pairs.csv")),
        "measure_anatomy": anatomy_scores({model: pd.read_csv(PLOTS / f"images_{model}.csv") for model in MODELS}),
        "measure_nearest_instance": nearest_instance_scores(
            {model: read_imagefolder(SAMPLES / model) for model in MODELS},
            {model: stored["samples"] for model, stored in features.items()},
            features["base"]["instances"],
        ),
    }
    present = {name: scores for name, scores in raters.items() if len(scores)}
    reason = read_metrics(METRICS / "survey.json").get("reason")
    metrics = agreement_metrics(raters, seed=seed, no_people=reason)
    for name, table in (
        ("agreement_confusion", confusion_rows(present)),
        ("disagreements", disagreements(present, MOST_DISAGREEMENTS)),
    ):
        table.to_csv(PLOTS / f"{name}.csv", index=False, lineterminator="\n")
    provenance = {"raters": sorted(present), "seed": seed, **library_versions("scipy", "pandas")}
    write_metrics(METRICS / "agreement.json", metrics, provenance)


if __name__ == "__main__":
    run_stage("agreement", main)
