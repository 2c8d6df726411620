"""Stage `survey`: build the survey's page from base and tuned samples, and count the committed responses of people."""

from __future__ import annotations

from anomend.judging.protocol import choose_pairs
from anomend.params.resolved import load_params
from anomend.pictures.image_sets import read_imagefolder
from anomend.project.checkouts import found
from anomend.project.metric_files import write_metrics
from anomend.project.paths import METRICS, MODELS, PLOTS, SAMPLES, SURVEY_KEY, SURVEY_PAGE
from anomend.project.run import run_stage
from anomend.surveying.key import write_key
from anomend.surveying.survey import build_survey, count_votes


def main() -> None:
    params = load_params().survey
    responses = found(params.responses)
    if not responses.is_dir():
        raise ValueError(f"survey.responses = {params.responses!r} is not a folder: make it, or fix the parameter")
    samples = [read_imagefolder(SAMPLES / model) for model in MODELS]
    base, tuned = (table[table["group"] == "target"] for table in samples)
    held_out = samples[0][samples[0]["group"] == "held_out"]
    # Drawn as for the judges: at the same seed, people and judges see the same pairs.
    pairs = choose_pairs(base, tuned, per_prompt=params.pairs_per_prompt, seed=params.seed)
    write_key(SURVEY_KEY, build_survey(pairs, held_out, params, site=SURVEY_PAGE))
    result = count_votes(sorted(responses.glob("*.csv")), base=base, tuned=tuned, params=params)
    write_metrics(METRICS / "survey.json", result.metrics, result.provenance)
    PLOTS.mkdir(parents=True, exist_ok=True)
    for note in result.notes:
        print(f"{params.responses}: {note}")
    result.pairs.to_csv(PLOTS / "survey_pairs.csv", lineterminator="\n")


if __name__ == "__main__":
    run_stage("survey", main)
