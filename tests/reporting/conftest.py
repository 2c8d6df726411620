"""A small run to report on: real pictures of the miniature world, drawn and checked here."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from anomend.judging.analysis import analyse
from anomend.judging.anatomy_judge import AnatomyJudge
from anomend.judging.answers import write_answers
from anomend.judging.protocol import ask, choose_pairs, whole_questions
from anomend.measuring.rates import anomaly_rates, rate_metrics
from anomend.miniature.anatomy import check
from anomend.miniature.defects import ANOMALIES, plant
from anomend.miniature.drawn_people import pose, render, sample_scene
from anomend.pictures.image_sets import ImageFolderWriter, read_imagefolder
from anomend.project.seeding import python_random
from anomend.reporting.inputs import ReportInputs
from anomend.reporting.judge_examples import judge_examples
from anomend.surveying.responses import no_responses
from anomend.surveying.tally import tally
from anomend.verdict.decision import Thresholds, reach_verdict
from tests.conftest import ROOT
from tests.verdict.made import change, ratio

PROMPTS = {"lying on the grass": "target", "sitting on the beach": "held_out"}
SEEDS = 5


def draw_set(folder: Path, anomalous_seeds: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """An image set whose target pictures have a planted anomaly at the first seeds, and the findings on it."""
    writer, findings = ImageFolderWriter(folder), []
    for prompt, group in PROMPTS.items():
        posture, _, _, place = prompt.split()
        for seed in range(SEEDS):
            rng = python_random("report test", prompt, seed)
            scene = sample_scene(rng, posture, place)
            body = pose(scene, rng)
            if group == "target" and seed < anomalous_seeds:
                plant(body, ANOMALIES[seed], rng)
            image = render(scene, rng, body)
            name = f"{posture}_{seed}.png"
            writer.add(name, image, text=prompt, prompt=prompt, seed=seed, group=group, source="drawn", model="none")
            anomalies = check(image).anomalies
            findings.append((name, group, prompt, seed, int(bool(anomalies)), " ".join(anomalies)))
    writer.close()
    columns = ["file_name", "group", "prompt", "seed", "anomalous", "anomalies"]
    table = pd.DataFrame(findings, columns=columns)
    table.to_csv(folder / "images.csv", index=False)
    # Through a file, as a stage reads it: no anomaly comes back as NaN.
    return read_imagefolder(folder), pd.read_csv(folder / "images.csv")


@pytest.fixture(scope="session")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> ReportInputs:
    """A run with everything in it but judge, survey and replication."""
    samples_base, images_base = draw_set(tmp_path_factory.mktemp("base"), anomalous_seeds=4)
    samples_tuned, images_tuned = draw_set(tmp_path_factory.mktemp("tuned"), anomalous_seeds=1)
    measure = {"p": 0.0003, "n": 640, "clusters": 10, "better": "lower", "method": "sign flips"}
    compare = {
        "anomaly_rate_target": {"base": 0.8, "tuned": 0.2, "delta": -0.6, "ci_low": -0.7, "ci_high": -0.5}
        | {**measure, "p_holm": 0.0015},
        "anomaly_rate_held_out": {"base": 0.02, "tuned": 0.03, "delta": 0.01, "ci_low": -0.01, "ci_high": 0.03}
        | {**measure, "p": 0.41},
        "diversity_right": ratio(0.9) | {"ratio_ci_low": 0.8, "ratio_ci_high": 1.0},
        "diversity": {"base": 0.5, "tuned": 0.45, "delta": -0.05, "ci_low": -0.08, "ci_high": -0.01}
        | {**measure, "better": "higher"},
        "ssim_within": {"base": 0.4, "tuned": 0.42, "delta": 0.02, "ci_low": 0.01, "ci_high": 0.03}
        | {**measure, "better": "closer"},
        "frechet_efficientnet_lite0": {"base": None, "tuned": None, "delta": None, "ci_low": None, "ci_high": None}
        | {**measure, "p": None, "clusters": None, "reason": "80 images are fewer than 1280 features"},
        "provenance": {"n": 640},
    }
    measured = {"ssim_within": 0.4, "psnr_within": 9.1, "frechet_efficientnet_lite0": None, "reason": "too few images"}
    kinds = {"anomaly_kinds": {"extra_arm": 0.1, "missing_head": 0.0}}
    measure_base, measure_tuned = (
        measured | rate_metrics(anomaly_rates(images)) | kinds for images in (images_base, images_tuned)
    )
    for group, counts in (("target", (16, 48, 0, 16)), ("held_out", (2, 0, 1, 97))):
        compare[f"anomaly_rate_{group}"] |= change({f"prompt {index}": counts for index in range(8)})
    verdict = reach_verdict(
        compare,
        {"copy_rate": 0.0},
        Thresholds(
            min_target_drop=0.3, max_target_rate=0.25, held_out_margin=0.05, min_diversity_ratio=0.7, max_copy_rate=0.02
        ),
    ).as_metrics()
    loss = pd.DataFrame({"step": range(1, 61), "loss": [1 / (1 + i / 20) for i in range(60)], "prior_loss": [0.5] * 60})
    evaluated = loss["step"] % 20 == 0
    loss["validation_loss"] = (1 / loss["step"]).where(evaluated)
    loss["anomaly_rate"] = (4 / loss["step"]).where(evaluated)
    return ReportInputs(
        title="A small run",
        verdict=verdict,
        compare=compare,
        measure_base=measure_base,
        measure_tuned=measure_tuned,
        samples_base=samples_base,
        samples_tuned=samples_tuned,
        images_base=images_base,
        images_tuned=images_tuned,
        pairs_per_prompt=3,
        picture="metrics/plots/base | tuned.png",
        train={"lora_sha256": "ab12", "steps": 60, "stopped_early": False, "train_seed": 7, "loss_last_tenth": None}
        | {"reason": "not logged", "kept_step": 40, "provenance": {"n": 18, "n_class": 128}},
        train_loss=loss,
        collect={"images": 20, "spend_usd": 0.0, "requests_paid": 0, "requests_from_store": 0},
        curate={"collected": 20, "kept": 18, "rejected": 2},
        base_model={"name": "mini", "revision": "0f3a"},
        data_hashes={"data/instance": "9a7c"},
        environment={"python": "3.11"},
        parameters={
            "profile": "mini",
            "train": {
                "rank": 8,
                "method": "dreambooth",
                "target_modules": ["to_q"],
                "monitor": {"seeds_per_prompt": 10},
            },
            "prompts": {"target": ["lying on the grass"]},
        },
    )


@pytest.fixture(scope="session")
def complete(inputs: ReportInputs, tmp_path_factory: pytest.TempPathFactory) -> ReportInputs:
    """The same run with every part that a run can have: judge, survey, agreement, curation, the paper's tables."""
    folder = tmp_path_factory.mktemp("complete")
    Image.new("RGB", (600, 300), "white").save(folder / "sheet.jpg")
    Image.new("RGB", (512, 64), "grey").save(folder / "samples.png")
    base, tuned = (table[table["group"] == "target"] for table in (inputs.samples_base, inputs.samples_tuned))
    judge = AnatomyJudge(lambda image: check(image).anomalies)
    answers = write_answers(
        folder / "anatomy.jsonl", ask(judge, whole_questions(choose_pairs(base, tuned, per_prompt=SEEDS, seed=0), 1))
    )
    prompt, seed = inputs.samples_base.iloc[0][["prompt", "seed"]]
    raters = ["judge_anatomy", "measure_anatomy"]
    kept = pd.DataFrame({"file_name": inputs.samples_tuned["file_name"], "path": inputs.samples_tuned["path"]})
    kept = kept.assign(kept=[0] + [1] * (len(kept) - 1), reasons=["two persons"] + [""] * (len(kept) - 1))
    return replace(
        inputs,
        judge={"anatomy": analyse(answers, seed=0), "provenance": {}},
        judge_examples=judge_examples(
            folder, ["anatomy"], question="Which?", samples_base=inputs.samples_base, samples_tuned=inputs.samples_tuned
        ),
        survey=tally(no_responses(), seed=0),
        agreement={
            "people": {"n": 0, "reason": "no answers yet"},
            "__".join(raters): {"n": 5, "agreement": 0.6, "kappa": 0.2, "ci_low": -0.1, "ci_high": 0.5}
            | {"rank_correlation": 0.3, "rank_p": 0.2},
        },
        disagreements=pd.DataFrame([[prompt, seed, 1.0, 1.0, 0.0]], columns=["prompt", "seed", "spread", *raters]),
        contact_sheet=folder / "sheet.jpg",
        curation=kept.assign(persons=1, area=[0.1 + i / 100 for i in range(len(kept))], background=0.02),
        training_samples=dict.fromkeys(range(100, 1300, 100), folder / "samples.png"),
        replication=json.loads((ROOT / "metrics" / "replication.json").read_text()),
        paper_judges=pd.read_csv(ROOT / "data" / "paper" / "judges.csv"),
    )
