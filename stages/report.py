"""Stage `report`: report.md for a pull request, report.html for reading, and the base | tuned picture."""

from __future__ import annotations

import platform
from pathlib import Path

import pandas as pd

from anomend.diffusion.bases import BASE_MODELS
from anomend.params.resolved import load_params
from anomend.pictures.image_sets import read_imagefolder
from anomend.project.metric_files import METRICS, library_versions, read_metrics
from anomend.project.run import run_stage
from anomend.project.yaml_files import read_yaml
from anomend.reporting.curves import read_curves
from anomend.reporting.inputs import ReportInputs
from anomend.reporting.judge_examples import judge_examples
from anomend.reporting.pairs import first_pairs
from anomend.reporting.render import render_report
from anomend.reporting.reproduction import locked_data
from anomend.reporting.side_by_side import save_side_by_side

REPORT, SAMPLES, COLLECTED = Path("report"), Path("data/samples"), Path("data/collected")
JUDGEMENTS, PAPER_JUDGES = Path("data/judgements"), Path("data/paper/judges.csv")
LOCK, TRAINING = Path("dvc.lock"), METRICS / "training"
PICTURE = "side_by_side.png"


def locked() -> dict[str, str]:
    """Hashes of the run's data, which DVC has written down by now, stage for stage."""
    return locked_data(read_yaml(LOCK)) if LOCK.exists() else {}


def samples_while_training() -> dict[int, Path]:
    """Pictures of the looks by step: `samples/step_000100.png`."""
    pictures = (TRAINING / "plots" / "images" / "samples").glob("step_*.png")
    return {int(path.stem.removeprefix("step_")): path for path in sorted(pictures)}


def main() -> None:
    params = load_params()
    settings = params.report
    samples = [read_imagefolder(SAMPLES / model) for model in ("base", "tuned")]
    images = [pd.read_csv(METRICS / "plots" / f"images_{model}.csv") for model in ("base", "tuned")]
    train, replication = read_metrics(METRICS / "train.json"), METRICS / "replication.json"
    curation = pd.read_csv(METRICS / "plots" / "curation.csv")
    curation["path"] = [COLLECTED / name for name in curation["file_name"]]
    base = BASE_MODELS[params.base.name]
    REPORT.mkdir(exist_ok=True)
    pairs = first_pairs(samples[0], samples[1], images[0], images[1], settings.pairs_per_prompt)
    save_side_by_side(REPORT / PICTURE, [pair for pair in pairs if pair.prompt in params.prompts.target])
    markdown, html = render_report(
        ReportInputs(
            title=settings.title,
            verdict=read_metrics(METRICS / "verdict.json"),
            compare=read_metrics(METRICS / "compare.json"),
            measure_base=read_metrics(METRICS / "measure_base.json"),
            measure_tuned=read_metrics(METRICS / "measure_tuned.json"),
            samples_base=samples[0],
            samples_tuned=samples[1],
            images_base=images[0],
            images_tuned=images[1],
            pairs_per_prompt=settings.pairs_per_prompt,
            grid_image=PICTURE,
            train=train,
            train_loss=read_curves(TRAINING),
            training_samples=samples_while_training(),
            collect=read_metrics(METRICS / "collect.json"),
            curate=read_metrics(METRICS / "curate.json"),
            judge=read_metrics(METRICS / "judge.json"),
            survey=read_metrics(METRICS / "survey.json"),
            agreement=read_metrics(METRICS / "agreement.json"),
            disagreements=pd.read_csv(METRICS / "plots" / "disagreements.csv"),
            judge_examples=judge_examples(JUDGEMENTS, params.judge.judges, samples[0], samples[1]),
            contact_sheet=METRICS / "plots" / "curation.jpg",
            curation=curation,
            replication=read_metrics(replication) if replication.exists() else None,
            paper_judges=pd.read_csv(PAPER_JUDGES),
            base_model={
                "name": params.base.name,
                "source": params.base.local_folder or base.source,
                "revision": base.revision or "in this repository",
                "weights": train["provenance"]["base_weights"],
                "licence": base.licence,
            },
            data_hashes=locked(),
            environment={
                "python": platform.python_version(),
                "device": train["provenance"]["device"],
                **library_versions("torch", "diffusers", "peft", "transformers", "dvc"),
            },
            parameters=params.model_dump(mode="json"),
        )
    )
    (REPORT / "report.md").write_text(markdown, encoding="utf-8")
    (REPORT / "report.html").write_text(html, encoding="utf-8")
    print(f"report: {REPORT / 'report.html'}, {REPORT / 'report.md'}")


if __name__ == "__main__":
    run_stage("report", main)
