"""Stage `people`: rates of wrong pictures by people's labels, and the passport of the detector."""

from __future__ import annotations

import pandas as pd

from anomend.labelling.counting import RaterRules, excluded_raters
from anomend.labelling.design import read_design
from anomend.labelling.records import read_labels
from anomend.labelling.texts import versions
from anomend.params.resolved import load_params
from anomend.people.answers import sampled_pictures
from anomend.people.evidence import people_metrics
from anomend.people.passport import run_passport
from anomend.project.checkouts import found
from anomend.project.metric_files import library_versions, write_metrics
from anomend.project.paths import LABEL_DESIGN, METRICS, MODELS, PLOTS
from anomend.project.run import run_stage


def main() -> None:
    params = load_params()
    labels = read_labels(found(params.label.labels), texts=versions())
    rules = RaterRules(max_failed_gold=params.label.max_failed_gold, min_median_ms=params.label.min_median_ms)
    labels = labels[~labels["rater"].isin(excluded_raters(labels, rules).index)]
    images = {model: pd.read_csv(PLOTS / f"images_{model}.csv") for model in MODELS}
    pictures, machine = sampled_pictures(images, read_design(LABEL_DESIGN))
    helps = params.verdict.evidence == "people+machine"
    metrics = people_metrics(
        labels,
        pictures,
        machine=machine if helps else None,
        seed=params.compare.seed,
        resamples=params.compare.resamples,
    )
    provenance = {"evidence": params.verdict.evidence, "seed": params.compare.seed, **library_versions("numpy")}
    write_metrics(METRICS / "people.json", metrics, provenance)
    detector = params.measure.detector
    write_metrics(METRICS / "passport.json", run_passport(labels, pictures, machine, detector), {"detector": detector})


if __name__ == "__main__":
    run_stage("people", main)
