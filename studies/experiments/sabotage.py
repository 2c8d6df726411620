"""Sham corrections and the honest one: does the verdict tell them apart? `make sabotage`.

Each case is run at each training seed as a DVC experiment in a temporary workspace (`dvc exp run --temp`); what it
shares with the committed run comes from the cache. Existing rows of `studies/experiments/sabotage.csv` are kept, so an
interrupted call continues where it stopped; `--again` runs all cases again (their training comes from DVC's run cache).
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import dvc.api
import pandas as pd
from PIL import Image
from scipy.stats import binomtest

from anomend.collecting.drawn_people import collect_drawn_people, parse_prompt
from anomend.collecting.image import SourceImage
from anomend.miniature.defects import plant
from anomend.miniature.drawn_people import pose, render, sample_scene
from anomend.params.resolved import load_params
from anomend.project.seeding import python_random
from studies.experiments.blind_detector import PORTS, name_of, serve_blind_detector

FOLDER = Path("studies/experiments")
TABLE = FOLDER / "sabotage.csv"
SCRATCH = Path(".sabotage")
WRONG = ("standing on the beach", "sitting on the street", "standing on the grass", "sitting on the beach")
TO_THE_END = ("train.monitor.every=0", "train.monitor.patience=0", "train.monitor.keep=last")
"""Neither early stopping nor the best checkpoint may repair what a case breaks."""
HIDDEN = {"reward_hole": "extra_arm", "reward_hole_missing_arm": "missing_arm"}
"""The kind of anomaly that the reward of a case does not see."""
LOOKS = "verdict.looks=[0.2, 0.4, 0.5, 0.6, 0.8, 1.0]"
"""A verdict that is settled needs no more images; what it errs is the same (docs/verdict.md)."""


def honest() -> list[str]:
    """The committed parameters."""
    return []


def overtrained() -> list[str]:
    """Ten times the steps."""
    steps = 10 * load_params().train.steps
    # Compiled it is the same training, to float tolerance, in two thirds of the time.
    return [f"train.steps={steps}", "train.compile=blocks", *TO_THE_END]


def one_image() -> list[str]:
    """One training image."""
    return ["collect.images=1", "curate.min_kept=1", *TO_THE_END]


def wrong_captions() -> list[str]:
    """The honest images, each under a caption of something else."""
    drawn = [replace(one, text=WRONG[number % len(WRONG)]) for number, one in enumerate(honest_images())]
    return [*own_images("wrong_captions", drawn), "curate.detector=drawn_people", *TO_THE_END]


def one_prompt() -> list[str]:
    """The honest images of one target prompt; of the other the base's own, anomalies included, as class images."""
    fixed, *others = load_params().prompts.target
    return [
        *own_images("one_prompt", [one for one in honest_images() if one.text == fixed]),
        "curate.detector=drawn_people",
        f"class_images.prompts={json.dumps(others)}",
        "class_images.detector=none",
    ]


def traded_kinds() -> list[str]:
    """Images of people with a third arm: other anomalies go, and this one comes."""
    drawn = []
    for number, honest_one in enumerate(honest_images()):
        rng = python_random(number, "traded_kinds")
        scene = sample_scene(rng, *parse_prompt(honest_one.text))
        body = plant(pose(scene, rng), "extra_arm", rng)
        drawn.append(replace(honest_one, image=render(scene, rng, body)))
    return [*own_images("traded_kinds", drawn), "curate.detector=none"]


def honest_images() -> list[SourceImage]:
    """What the committed parameters collect."""
    params = load_params()
    return list(collect_drawn_people(params.prompts.target, params.collect.images, params.collect.seed))


def own_images(name: str, drawn: list[SourceImage]) -> list[str]:
    """Write pictures with their captions as a user's own folder; the settings that collect them."""
    folder = SCRATCH.resolve() / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    lines = []
    for number, one in enumerate(drawn):
        file_name = f"{number:04d}.png"
        Image.fromarray(one.image).save(folder / file_name)
        lines.append(json.dumps({"file_name": file_name, "text": one.text}))
    (folder / "metadata.jsonl").write_text("\n".join(lines) + "\n")
    return ["collect.source=folder", f"collect.folder.path={folder}", f"collect.images={len(drawn)}"]


def zeros() -> list[str]:
    """A LoRA that learned nothing: its B matrices are zero to thirty digits."""
    return ["train.steps=30", "train.learning_rate=1e-30", *TO_THE_END]


def reward_hole() -> list[str]:
    """Training by rewards (25 rounds) of a detector that is blind to extra arms, which the base hardly draws."""
    return _rewarded_blindly(HIDDEN["reward_hole"])


def reward_hole_missing_arm() -> list[str]:
    """The same, blind to missing arms, of which the base draws many."""
    return _rewarded_blindly(HIDDEN["reward_hole_missing_arm"])


def _rewarded_blindly(blind_to: str) -> list[str]:
    _serve(blind_to)
    return ["train.method=nft", "train.steps=150", f"train.nft.detector='{name_of(PORTS[blind_to])}'"]


@cache
def _serve(blind_to: str) -> ThreadingHTTPServer:
    return serve_blind_detector((blind_to,), PORTS[blind_to])


SHAMS: dict[str, Callable[[], list[str]]] = {
    "zeros": zeros,
    "wrong_captions": wrong_captions,
    "one_image": one_image,
    "overtrained": overtrained,
    "one_prompt": one_prompt,
    "traded_kinds": traded_kinds,
}
"""They correct nothing, or break what they must not."""
HOLES: dict[str, Callable[[], list[str]]] = {
    "reward_hole": reward_hole,
    "reward_hole_missing_arm": reward_hole_missing_arm,
}
"""They may correct, where the kind that the reward does not see stays rare."""
CASES = {"honest": honest} | SHAMS | HOLES


def run(case: str, seed: int) -> dict[str, Any]:
    """Run one case at one training seed and read its verdict.

    Raises:
        subprocess.CalledProcessError: the run failed; its messages were printed.
    """
    name = f"sabotage-{case.replace('_', '-')}-{seed}"
    # An experiment of that name from an earlier call would stop this one; it is not an error if there is none.
    subprocess.run(["dvc", "exp", "remove", name], check=False, capture_output=True)
    changes = [f"train.seed={seed}", LOOKS, *CASES[case]()]
    options = [argument for change in changes for argument in ("-S", change)]
    subprocess.run(["dvc", "exp", "run", "--temp", "--name", name, *options, "verdict"], check=True, text=True)
    verdict = dvc.api.metrics_show("metrics/verdict.json", rev=name)
    compared = json.loads(dvc.api.read("metrics/compare.json", rev=name))
    # DVC leaves out values that are null in the file.
    passed = {key: clause.get("passed") for key, clause in verdict["clauses"].items()}
    decided = [key for key, outcome in passed.items() if outcome is False]
    unsettled = [key for key, outcome in passed.items() if outcome is None]
    return {
        "case": case,
        "train_seed": seed,
        "verdict": verdict["verdict"],
        "failed": " ".join(decided),
        "unsettled": " ".join(unsettled),
        "kind_rise": verdict["clauses"]["new_kinds"].get("figure"),
        "hidden_kind_rise": rise_of(HIDDEN[case], compared) if case in HIDDEN else None,
        "target_base": verdict.get("target_anomaly_rate_base"),
        "target_tuned": verdict.get("target_anomaly_rate_tuned"),
        "held_out_base": verdict.get("held_out_anomaly_rate_base"),
        "held_out_tuned": verdict.get("held_out_anomaly_rate_tuned"),
        "right_diversity_ratio": verdict.get("right_diversity_ratio"),
        "copy_rate": verdict.get("copy_rate"),
    }


def rise_of(kind: str, compared: Mapping[str, Any]) -> float:
    """How much more often the tuned model draws a kind of anomaly than the base, by the checker that sees all of them.

    Args:
        kind: of anomaly.
        compared: the content of metrics/compare.json.
    """
    rates = compared["anomaly_rate_target"]
    of_kind = [each for each in rates["kinds"] if each["name"] == kind]
    return sum(each["only_tuned"] - each["only_base"] for each in of_kind) / rates["n"]


def write_tables(rows: pd.DataFrame) -> None:
    """The table as CSV in full and as Markdown for reading."""
    order = {case: number for number, case in enumerate(CASES)}
    rows = rows.sort_values(
        ["case", "train_seed"], key=lambda column: column.map(order) if column.name == "case" else column
    )
    rows.to_csv(TABLE, index=False, lineterminator="\n")
    lines = ["| " + " | ".join(rows.columns) + " |", "|" + "---|" * len(rows.columns)]
    for row in rows.fillna("").itertuples(index=False):
        cells = [f"{cell:.4g}" if isinstance(cell, float) else str(cell) for cell in row]
        lines.append("| " + " | ".join(cells) + " |")
    cases = [f"- `{case}`: {make.__doc__}" for case, make in CASES.items()]
    title = "# Sham corrections, and the honest one"
    note = (
        "Written by `make sabotage`; `sabotage.csv` has all digits. `failed`: clauses of the verdict. `kind_rise`: of\n"
        "the kind of anomaly that rose most; `hidden_kind_rise`: of the one that the reward does not see."
    )
    (FOLDER / "sabotage.md").write_text("\n".join([title, "", *cases, "", note, "", summary(rows), "", *lines, ""]))


def summary(rows: pd.DataFrame) -> str:
    """How many shams were found `corrected`, and what share of such runs there may be at most."""
    verdicts = rows.loc[rows["case"].isin(SHAMS), "verdict"]
    found, runs = int((verdicts == "corrected").sum()), len(verdicts)
    bound = binomtest(found, runs, alternative="less").proportion_ci(0.95).high
    return (
        f"Of {runs} sham corrections {found} were found `corrected`: of more runs of these {len(SHAMS)} cases at most"
        f" {math.ceil(1e4 * bound) / 100:.2f}% are\n(95% confidence, Clopper and Pearson, one-sided). Rewards with a"
        " hole are not among them, for they may correct."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seeds", type=int, nargs="+")
    parser.add_argument("--cases", nargs="+", choices=tuple(CASES), default=list(CASES))
    parser.add_argument("--again", action="store_true", help="also run the cases that are in the table")
    chosen = parser.parse_args()
    rows = pd.read_csv(TABLE) if TABLE.exists() else pd.DataFrame()
    for seed in chosen.seeds:
        for case in chosen.cases:
            done = not rows.empty and bool(((rows["case"] == case) & (rows["train_seed"] == seed)).any())
            if done and not chosen.again:
                continue
            if done:
                rows = rows[~((rows["case"] == case) & (rows["train_seed"] == seed))]
            rows = pd.concat([rows, pd.DataFrame([run(case, seed)])], ignore_index=True)
            write_tables(rows)


if __name__ == "__main__":
    main()
