"""Stage `judge`: ask every judge about pairs of base and tuned images, blind and in both orders."""

from __future__ import annotations

import os
from pathlib import Path

from anomend.judging.panel import judge_pairs
from anomend.judging.protocol import choose_pairs
from anomend.judging.registry import PAID_JUDGES
from anomend.params.resolved import load_params
from anomend.pictures.image_sets import read_imagefolder
from anomend.project.metric_files import write_metrics
from anomend.project.paths import JUDGEMENTS, METRICS, MODELS, PLOTS, PRICES, RETIRED_MODELS, SAMPLES
from anomend.project.run import run_stage
from anomend.purchasing.environment import other_addresses, purchase_settings
from anomend.purchasing.settings import PurchaseSettings


def main() -> None:
    params = load_params()
    judge = params.judge
    samples = [read_imagefolder(SAMPLES / model) for model in MODELS]
    base, tuned = (table[table["group"] == "target"] for table in samples)
    pairs = choose_pairs(base, tuned, per_prompt=judge.pairs_per_prompt, seed=judge.seed)
    purchases: dict[str, PurchaseSettings] = {
        name: purchase_settings(
            name,
            model=getattr(judge.models, name),
            model_parameter=f"judge.models.{name}",
            max_usd=judge.max_usd,
            budget_parameter="judge.max_usd",
            requests=judge.requests,
            environment=os.environ,
            project=Path.cwd(),
            prices=PRICES,
            retired_models=RETIRED_MODELS,
        )
        for name in judge.judges
        if name in PAID_JUDGES
    }
    result = judge_pairs(
        pairs,
        judge,
        question=params.survey.question,
        detector=params.measure.detector,
        detectors=params.detectors,
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
