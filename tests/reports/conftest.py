"""A small run to report on: real pictures of the miniature world, drawn and checked here."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from stages.imagefolder import ImageFolderWriter, read_imagefolder
from stages.miniature.anatomy import check
from stages.miniature.defects import ANOMALIES, plant
from stages.miniature.figures import pose, render, sample_scene
from stages.reports.inputs import ReportInputs
from stages.seeding import python_random
from stages.verdicts import Thresholds, decide

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
            found = check(image).anomalies
            findings.append((name, group, prompt, seed, int(bool(found)), " ".join(found)))
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
        "diversity": {"base": 0.5, "tuned": 0.45, "delta": -0.05, "ci_low": -0.08, "ci_high": -0.01}
        | {**measure, "better": "higher"},
        "ssim_within": {"base": 0.4, "tuned": 0.42, "delta": 0.02, "ci_low": 0.01, "ci_high": 0.03}
        | {**measure, "better": "closer"},
        "frechet_efficientnet_lite0": {"base": None, "tuned": None, "delta": None, "ci_low": None, "ci_high": None}
        | {**measure, "p": None, "clusters": None, "reason": "80 images are fewer than 1280 features"},
        "provenance": {"n": 640},
    }
    measured = {"ssim_within": 0.4, "psnr_within": 9.1, "frechet_efficientnet_lite0": None, "reason": "too few images"}
    verdict = decide(compare, {"copy_rate": 0.0}, Thresholds(0.3, 0.25, 0.05, 0.7, 0.02)).as_metrics()
    loss = pd.DataFrame({"step": range(1, 61), "loss": [1 / (1 + i / 20) for i in range(60)], "prior_loss": [0.5] * 60})
    return ReportInputs(
        title="A small run",
        verdict=verdict,
        compare=compare,
        measure_base=measured,
        measure_tuned=measured,
        samples_base=samples_base,
        samples_tuned=samples_tuned,
        images_base=images_base,
        images_tuned=images_tuned,
        pairs_per_prompt=3,
        grid_image="metrics/plots/base | tuned.png",
        train={"lora_sha256": "ab12", "steps": 60, "stopped_early": False, "train_seed": 7, "loss_last_tenth": None}
        | {"reason": "not logged", "provenance": {}},
        train_loss=loss,
        collect={"images": 20, "spend_usd": 0.0, "requests_paid": 0, "requests_from_store": 0},
        curate={"collected": 20, "kept": 18, "rejected": 2},
        base_model={"name": "mini", "revision": "0f3a"},
        data_hashes={"data/instance": "9a7c"},
        environment={"python": "3.11"},
        parameters={"profile": "mini", "train": {"rank": 8, "target_modules": ["to_q", "to_v"]}},
    )
