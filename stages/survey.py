"""Stage `survey`: tally the committed responses of people; there may be none."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from stages.cli import run_stage
from stages.metric_files import METRICS, write_metrics
from stages.params import load_params
from stages.surveys.exclusion import ExclusionRules
from stages.surveys.responses import read_responses
from stages.surveys.tally import tally


def main() -> None:
    settings = load_params().survey
    folder = Path(settings.responses)
    if not folder.is_dir():
        raise ValueError(f"survey.responses = {settings.responses!r} is no folder: make it, or mend the parameter")
    files = sorted(folder.glob("*.csv"))
    rules = ExclusionRules(settings.max_failed_catches, settings.min_median_ms)
    figures = tally(read_responses(files), settings.seed, rules=rules)
    provenance = {"files": [path.name for path in files], "exclusion": asdict(rules), "seed": settings.seed}
    write_metrics(METRICS / "survey.json", figures, provenance)


if __name__ == "__main__":
    run_stage("survey", main)
