"""Reads a finished run from its files, for the report."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from anomend.diffusion.bases import BASE_MODELS
from anomend.params.params import Params
from anomend.params.resolved import split
from anomend.pictures.image_sets import read_imagefolder
from anomend.project.metric_files import library_versions, read_metrics
from anomend.project.yaml_files import read_yaml
from anomend.reporting.confirmations import everyday_sentence
from anomend.reporting.inputs import ReportInputs
from anomend.reporting.judge_examples import judge_examples
from anomend.reporting.reproduction import locked_data


@dataclass(frozen=True, kw_only=True)
class RunFiles:
    """Where a run's files are."""

    metrics: Path
    """Folder of the metric files, with plots/ and training/."""
    collected: Path
    """Image set of stage `collect`."""
    samples: Path
    """Folder with an image set per model."""
    judgements: Path
    """Folder of stage `judge`, with a file of answers per judge."""
    paper_judges: Path
    """CSV with what the paper says of its judges."""
    lock: Path
    """dvc.lock; it may be missing."""
    confirmations: Path
    """Folder of the confirmations; it may be empty."""
    methods: Path
    """CSV of the comparison of methods; it may be missing."""


def read_run(
    files: RunFiles, params: Params, *, picture: str | None = None, full_size: str | None = None
) -> ReportInputs:
    """Everything that the report shows.

    Args:
        files: where the run's files are.
        params: the resolved parameters of the run.
        picture: address of the side-by-side picture as the Markdown report should link it; None leaves it out.
        full_size: address of the folder with the images, as seen from the page; None: the page shows what it holds.

    Raises:
        FileNotFoundError, ValueError: a file is missing or broken.
    """
    metrics, plots, training = files.metrics, files.metrics / "plots", files.metrics / "training"
    samples_base, samples_tuned = (read_imagefolder(files.samples / model) for model in ("base", "tuned"))
    curation = pd.read_csv(plots / "curation.csv")
    curation["path"] = [files.collected / name for name in curation["file_name"]]
    train = read_metrics(metrics / "train.json")
    base = BASE_MODELS[params.base.name]
    return ReportInputs(
        title=params.report.title,
        verdict=read_metrics(metrics / "verdict.json"),
        compare=read_metrics(metrics / "compare.json"),
        measure_base=read_metrics(metrics / "measure_base.json"),
        measure_tuned=read_metrics(metrics / "measure_tuned.json"),
        samples_base=samples_base,
        samples_tuned=samples_tuned,
        images_base=pd.read_csv(plots / "images_base.csv"),
        images_tuned=pd.read_csv(plots / "images_tuned.csv"),
        pairs_per_prompt=params.report.pairs_per_prompt,
        picture=picture,
        full_size=full_size,
        sampled=read_metrics(metrics / "sample_tuned.json"),
        train=train,
        train_loss=read_curves(training),
        everyday=everyday_sentence(files.confirmations, str(train.get("lora_sha256", "")), params),
        methods=pd.read_csv(files.methods) if files.methods.exists() else None,
        training_samples=samples_while_training(training),
        collect=read_metrics(metrics / "collect.json"),
        curate=read_metrics(metrics / "curate.json"),
        judge=read_metrics(metrics / "judge.json"),
        survey=read_metrics(metrics / "survey.json"),
        people=_if_there(metrics / "people.json"),
        passport=_if_there(metrics / "passport.json"),
        agreement=read_metrics(metrics / "agreement.json"),
        disagreements=pd.read_csv(plots / "disagreements.csv"),
        judge_examples=judge_examples(
            files.judgements,
            params.judge.judges,
            question=params.survey.question,
            samples_base=samples_base,
            samples_tuned=samples_tuned,
        ),
        contact_sheet=plots / "curation.jpg",
        curation=curation,
        replication=_if_there(metrics / "replication.json"),
        paper_judges=pd.read_csv(files.paper_judges),
        base_model={
            "name": params.base.name,
            "source": params.base.local_folder or base.source,
            "revision": (params.base.revision or base.revision or "in a folder")
            if base.on_hub
            else "in this repository",
            "weights": train["provenance"]["base_weights"],
            "licence": base.licence,
        },
        # DVC has written down every stage's outputs by now, except the report's.
        data_hashes=locked_data(read_yaml(files.lock)) if files.lock.exists() else {},
        environment={
            "python": platform.python_version(),
            "device": train["provenance"]["device"],
            **library_versions("torch", "diffusers", "peft", "transformers", "dvc"),
        },
        parameters=split(params)[0],
    )


def _if_there(path: Path) -> dict[str, Any] | None:
    return read_metrics(path) if path.exists() else None


def read_curves(training: Path) -> pd.DataFrame:
    """The curves that training logged, joined on `step`: loss, learning_rate, prior_loss and so on."""
    paths = sorted((training / "plots" / "metrics").glob("*.tsv"))
    curves = [pd.read_csv(path, sep="\t").set_index("step") for path in paths]
    return pd.concat(curves, axis=1).sort_index().reset_index() if curves else pd.DataFrame(columns=["step"])


def samples_while_training(training: Path) -> dict[int, Path]:
    """Pictures of the evaluations by step: `samples/step_000100.png`."""
    pictures = (training / "plots" / "images" / "samples").glob("step_*.png")
    return {int(path.stem.removeprefix("step_")): path for path in sorted(pictures)}
