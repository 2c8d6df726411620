"""Stage `judge`: ask every judge about pairs of base and tuned images, blind and in both orders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tqdm import tqdm

from stages.cli import run_stage
from stages.imagefolder import read_imagefolder
from stages.judges.analysis import analyse
from stages.judges.answers import write_answers
from stages.judges.protocol import ask, choose_pairs, questions
from stages.judges.registry import JudgeSettings, make_judge
from stages.measures.anatomy import assess
from stages.metric_files import METRICS, write_metrics
from stages.params import load_params

SAMPLES, JUDGEMENTS = Path("data/samples"), Path("data/judgements")


def main() -> None:
    params = load_params()
    settings, detector = params.judge, params.measure.detector
    base, tuned = (read_imagefolder(SAMPLES / model) for model in ("base", "tuned"))
    target = [table[table["group"] == "target"] for table in (base, tuned)]
    pairs = choose_pairs(target[0], target[1], settings.pairs_per_prompt, settings.seed)
    asked = questions(pairs, settings.repeats)
    JUDGEMENTS.mkdir(parents=True, exist_ok=True)
    figures: dict[str, Any] = {}
    for name in settings.judges:
        judge = make_judge(name, JudgeSettings(lambda image: assess([image], detector)[0], detector))
        answers = write_answers(JUDGEMENTS / f"{name}.jsonl", ask(judge, tqdm(asked, desc=f"judge {name}")))
        figures[name] = analyse(answers, settings.seed)
    provenance = {"n": len(pairs), "questions": len(asked), "repeats": settings.repeats, "seed": settings.seed}
    write_metrics(METRICS / "judge.json", figures, provenance)


if __name__ == "__main__":
    run_stage("judge", main)
