"""The miniature's scan at other seeds: does it find the three planted defects, and nothing else? `make scans`.

Each run is the scan of `make scan` with seeds of its own, through the store of samples: of the embedded base, and of
the null base, whose discoveries are all false. Runs are written one by one, so a study that was stopped goes on where
it was; a run by other weights, settings or code is done anew. It takes its parameters from `resolved/`, so run `dvc
repro resolve` first; whichever profile of the miniature was resolved, both bases are scanned.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm import tqdm

from anomend.diffusion.base_models import base_source
from anomend.diffusion.recipes import sampling_recipe
from anomend.measuring.detection import detection_of
from anomend.miniature.defects import DEFECTIVE
from anomend.params.params import Params
from anomend.params.resolved import load_params
from anomend.pictures.sample_store import SampleStore
from anomend.project import paths
from anomend.project.checkouts import found
from anomend.project.dependencies import recorded_fingerprint
from anomend.project.files import write_whole
from anomend.project.shared_folders import shared_folder
from anomend.scanning.metrics import scan_metrics
from anomend.scanning.pictures import ScanPictures, judged_by_detector, scan_sampler
from anomend.scanning.rounds import scan
from anomend.scanning.rules import Rules
from anomend.scanning.suites import Suite, read_suite

TABLE = Path("studies/experiments/scans.csv")
RUNS = 20
FIRST_SEED, SEEDS_PER_RUN = 2_000_000, 10_000
"""Far from every seed that the pipeline uses."""
PLANTED = frozenset(f"{posture} on the {place}" for posture, place in DEFECTIVE)
RULES = ("limit", "worth", "error", "seeds_per_round", "most_seeds")
"""Parameters of the scan that decide what a run finds, besides its seeds."""
BASES: dict[str, tuple[str | None, frozenset[str]]] = {
    "mini": (None, PLANTED),
    "mini-null": ("models/mini_null", frozenset()),
}
"""Profile -> folder, as in `base.local_folder`, and the prompts that it draws wrong. pandas reads `null` as a gap."""


def params_of(params: Params, base: str) -> Params:
    """The parameters with one of `BASES`.

    Raises:
        ValueError: they are about another base than the miniature, or the base's folder is missing.
    """
    if params.base.name != "mini":
        raise ValueError(f"resolved/ is about the base {params.base.name}: run `dvc repro resolve` with profile: mini")
    folder, _ = BASES[base]
    if not Path(base_source(params.base.name, folder), "model_index.json").is_file():
        raise ValueError(f"{folder or 'models/mini'} has no base: `make null-base` makes the null base")
    return params.model_copy(update={"base": params.base.model_copy(update={"local_folder": folder})})


def made_by(params: Params) -> str:
    """What a run depends on besides its seeds, as a digest: weights, sampling, detector, rules, suite."""
    recipe = sampling_recipe(params.base, params.sample, code=recorded_fingerprint("sampler"))
    suite = found(params.scan.suite).read_text(encoding="utf-8")
    scan_params = params.scan.model_dump(include={*RULES, "fresh"})
    parts = [recipe, params.measure.detector, detection_of(params), scan_params, suite]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]


def scan_pictures(params: Params, suite: Suite) -> ScanPictures:
    """What makes and judges the images of all runs of a base: the model is loaded once."""
    prompts = [prompt.prompt for prompt in suite.prompts]
    store = SampleStore(shared_folder(Path.cwd(), paths.SAMPLE_STORE, params.sample.store))
    sampler = scan_sampler(params, prompts, store=store, code=recorded_fingerprint("sampler"), description="")
    return judged_by_detector(params, sampler, paths.FEATURE_STORE)


def run_row(base: str, number: int, suite: Suite, pictures: ScanPictures, params: Params) -> dict[str, Any]:
    """One run: what it found, and what it cost."""
    rules, first = Rules.of(params.scan), FIRST_SEED + number * SEEDS_PER_RUN
    fresh = range(first + SEEDS_PER_RUN // 2, first + SEEDS_PER_RUN // 2 + params.scan.fresh.seeds_per_prompt)
    prompts = [prompt.prompt for prompt in suite.prompts]
    seen = scan(prompts, rules, pictures.find, first_seed=first, fresh_seeds=fresh)
    proposed = {"held_out": params.scan.held_out, "siblings": params.scan.siblings}
    metrics = scan_metrics(suite, seen, rules, **proposed, class_prompts=params.class_images.prompts)
    _, wrong = BASES[base]
    return {
        "base": base,
        "run": number,
        "made_by": made_by(params),
        "first_seed": first,
        "discoveries": metrics["discoveries"],
        "false_discoveries": len(set(seen.found) - wrong),
        "missed": len(wrong - set(seen.found)),
        "fine": metrics["prompts_fine"],
        "open": metrics["prompts_open"],
        "rounds": metrics["rounds"],
        "images": metrics["images"],
        "images_fixed_design": metrics["images_fixed_design"],
        "found": "; ".join(seen.found),
        "fresh_rates": " ".join(f"{tally.k}/{tally.n}" for tally in seen.fresh.values()),
    }


def read_table(path: Path) -> pd.DataFrame:
    """The runs so far; a study that begins has none, and one that does not say what made them has none of now."""
    table = pd.read_csv(path, keep_default_na=False) if path.exists() else pd.DataFrame(columns=["base", "run"])
    return table if "made_by" in table else table.assign(made_by="")


def runs_of(path: Path, base: str, maker: str) -> pd.DataFrame:
    """The runs of a base that were made by what would make them now (`made_by`)."""
    table = read_table(path)
    return table[(table["base"] == base) & (table["made_by"] == maker)]


def add_row(path: Path, row: dict[str, Any]) -> None:
    """Write a run into the table, in place of an older one of the same number."""
    old: list[dict[Any, Any]] = read_table(path).to_dict("records")
    rows = {(each["base"], each["run"]): each for each in old}
    rows[row["base"], row["run"]] = row
    order = list(BASES)
    kept = [rows[key] for key in sorted(rows, key=lambda key: (order.index(key[0]), key[1]))]
    write_whole(path, pd.DataFrame(kept).to_csv(index=False))


def summary(table: pd.DataFrame) -> list[str]:
    """The study in a sentence per base."""
    sentences = []
    for base, rows in table.groupby("base", sort=False):
        right = int(((rows["false_discoveries"] == 0) & (rows["missed"] == 0)).sum())
        share = (rows["images"] / rows["images_fixed_design"]).max()
        what = "the planted defects and nothing else" if BASES[str(base)][1] else "nothing"
        sentences.append(
            f"{base}: {right} of {len(rows)} runs find {what}, from {rows['images'].min()} to"
            f" {rows['images'].max()} images, at most {share:.1%} of those of a design without rounds"
        )
    return sentences


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=RUNS, help="how many runs of each base there are to be in the end")
    parser.add_argument("--bases", nargs="+", choices=tuple(BASES), default=list(BASES))
    parser.add_argument("--table", type=Path, default=TABLE, help="where runs are written")
    chosen = parser.parse_args()
    params = load_params()
    suite = read_suite(found(params.scan.suite))
    for base in chosen.bases:
        params_of(params, base)  # A base that is missing is noticed before the hour of the other one.
    for base in chosen.bases:
        of_base = params_of(params, base)
        missing = sorted(set(range(chosen.runs)) - set(runs_of(chosen.table, base, made_by(of_base))["run"]))
        pictures = scan_pictures(of_base, suite) if missing else None
        for number in tqdm(missing, desc=f"scans, {base} base"):
            assert pictures is not None
            add_row(chosen.table, run_row(base, number, suite, pictures, of_base))
    print(*summary(read_table(chosen.table)), sep="\n")


if __name__ == "__main__":
    main()
