"""Stage `judge`: ask every judge about pairs of base and tuned images, blind and in both orders."""

from __future__ import annotations

import os
from pathlib import Path

from anomend.judging.panel import judge_pairs
from anomend.judging.pictures import choose_pictures
from anomend.judging.protocol import choose_pairs
from anomend.judging.settings import judge_purchases
from anomend.params.resolved import load_params
from anomend.pictures.image_sets import read_imagefolder
from anomend.project.metric_files import write_metrics
from anomend.project.paths import JUDGEMENTS, METRICS, MODELS, PLOTS, PRICES, RETIRED_MODELS, SAMPLES
from anomend.project.run import run_stage
from anomend.purchasing.environment import other_addresses


def main() -> None:
    params = load_params()
    judge = params.judge
    samples = [read_imagefolder(SAMPLES / model) for model in MODELS]
    base, tuned = (table[table["group"] == "target"] for table in samples)
    pairs = choose_pairs(base, tuned, per_prompt=judge.pairs_per_prompt, seed=judge.seed)
    purchases = judge_purchases(
        judge, environment=os.environ, project=Path.cwd(), prices=PRICES, retired_models=RETIRED_MODELS
    )
    result = judge_pairs(
        pairs,
        judge,
        pictures=choose_pictures(
            *samples,
            per_prompt={"target": judge.label_pairs_per_prompt, "held_out": judge.label_held_out_pairs_per_prompt},
            seed=judge.seed,
        ),
        question=params.survey.question,
        detector=params.measure.detector,
        detectors=params.detectors,
        device=params.base.device,
        purchases=purchases,
        folder=JUDGEMENTS,
    )
    PLOTS.mkdir(parents=True, exist_ok=True)
    result.scores.to_csv(PLOTS / "judge_pairs.csv", index=False, lineterminator="\n")
    provenance = {"n": len(pairs), "questions": result.questions, "repeats": judge.repeats, "seed": judge.seed}
    write_metrics(
        METRICS / "judge.json", result.metrics, provenance | (other_addresses(os.environ) if purchases else {})
    )


if __name__ == "__main__":
    run_stage("judge", main)
