"""Stage `survey`: build the survey's page from base and tuned samples, and tally the committed responses of people."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from anomend.judging.protocol import choose_pairs
from anomend.params.resolved import load_params
from anomend.pictures.image_sets import read_imagefolder
from anomend.project.metric_files import METRICS, write_metrics
from anomend.project.run import run_stage
from anomend.surveying.exclusion import ExclusionRules
from anomend.surveying.key import write_key
from anomend.surveying.responses import read_responses
from anomend.surveying.selection import about_these, draw_images, survey_images
from anomend.surveying.site import Texts, build_site
from anomend.surveying.tally import per_pair, tally

SAMPLES, SITE, KEY = Path("data/samples"), Path("survey"), Path("data/survey_key.json")


def main() -> None:
    settings = load_params().survey
    folder = Path(settings.responses)
    if not folder.is_dir():
        raise ValueError(f"survey.responses = {settings.responses!r} is no folder: make it, or mend the parameter")
    samples = [read_imagefolder(SAMPLES / model) for model in ("base", "tuned")]
    base, tuned = (table[table["group"] == "target"] for table in samples)
    held_out = samples[0][samples[0]["group"] != "target"]
    # The judges' own choice: at the same seed people and judges look at the same pairs.
    pairs = choose_pairs(base, tuned, settings.pairs_per_prompt, settings.seed)
    shown = [survey_images(pairs.rename(columns={f"path_{model}": "path"})) for model in ("base", "tuned")]
    key = build_site(
        SITE,
        list(zip(*shown, strict=True)),
        survey_images(draw_images(held_out, min(settings.catch_pairs, len(held_out)), settings.seed)),
        Texts(settings.title, settings.question, settings.consent),
        participants=settings.participants,
        repeats=min(settings.repeats, len(pairs) // 2),
        seed=settings.seed,
    )
    write_key(KEY, key)

    files = sorted(folder.glob("*.csv"))
    responses = read_responses(files)
    current = about_these(responses, base, tuned)
    rules = ExclusionRules(settings.max_failed_catches, settings.min_median_ms)
    figures = tally(responses[current], settings.seed, rules=rules, on_other_images=int((~current).sum()))
    provenance = {"files": [path.name for path in files], "exclusion": asdict(rules), "seed": settings.seed}
    write_metrics(METRICS / "survey.json", figures, provenance)
    plots = METRICS / "plots"
    plots.mkdir(parents=True, exist_ok=True)
    per_pair(responses[current], rules).to_csv(plots / "survey_pairs.csv", lineterminator="\n")


if __name__ == "__main__":
    run_stage("survey", main)
