"""Are the p-values of `compare` calibrated? The base model against itself, again and again: `make calibration`.

Where nothing was changed, p < .05 should come up in 5% of comparisons. Two nulls:

- `other seeds`: base and tuned are disjoint random parts of a pool of base images, prompt by prompt, paired at random.
  The images are drawn at seeds that the pipeline never looks at; for anomalies the findings on the committed run's base
  images are in the pool too. Within a comparison no image is drawn twice; the next one draws from the whole pool again.
  So given the pool, comparisons are independent and equally distributed, and the number of small p is binomial. The
  price of the one pool: the shares hold for these images, as a permutation test's level holds for the images at hand.
- `labels swapped`: pairs with something in common, of which a coin says which image is called the tuned one. Anomalies
  come from the committed run's (prompt, seed) pairs of base and tuned images; for the other measures, images of the
  pool are paired with those most like them. It is the null of which a sign-flip p is a count.

The exact McNemar p stands beside for comparison; `compare` reports the mid-p.

Of 200 comparisons a p without fault is below .05 in 2% to 8% in 96.7% of repetitions, so among 28 such shares one lies
outside more often than not (a first table of 200 had one at 9.5%). Of 1,000, all 28 lie inside in 99.9%.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm import tqdm

from anomend.measuring.feature_store import FeatureStore
from anomend.measuring.features import get_extractor
from anomend.measuring.group_metrics import SUFFIXES
from anomend.measuring.kernel_distance import compare_kernel_distance
from anomend.measuring.memorisation import nearest_instance_similarity
from anomend.measuring.pairing import pair_by_prompt_and_seed
from anomend.params.params import Params
from anomend.params.resolved import load_params
from anomend.pictures.image_sets import load_image, read_imagefolder
from anomend.project.metric_files import METRICS
from anomend.project.seeding import numpy_generator
from anomend.statistics import compare_within_set, mcnemar_test, paired_effect, wilson_interval
from studies.experiments.base_pool import BLOCKS, Pool, draw_pool, measure_pool, read_pool
from studies.experiments.nulls import Findings, Pairs, labels_swapped, other_seeds, swapped_findings

FOLDER, POOL, INSTANCE = Path("studies/experiments"), Path(".calibration"), Path("data/instance")
ALPHA, LOWEST, HIGHEST = 0.05, 0.02, 0.08
PERMUTATIONS = 2000
OTHER, SWAPPED = "other seeds", "labels swapped"
EXACT = " (exact McNemar, not reported)"


def anomaly_p(base: Findings, tuned: Findings) -> tuple[float | None, float]:
    """p as `compare` reports it, and McNemar's exact one."""
    names = [prompt for prompt, values in base.items() for _ in values]
    first, second = np.concatenate(list(base.values())), np.concatenate(list(tuned.values()))
    exact = mcnemar_test(int((first > second).sum()), int((first < second).sum()))
    return paired_effect(first, second, names, better="lower", seed=0, resamples=2).p, exact


def instance_p(pool: Pool, pairs: Pairs, reference: NDArray[np.float32], extractor: str) -> dict[str, float | None]:
    """p of the nearness to the instance images: of the kernel distance, and of the nearest one."""
    names = [prompt for prompt, (rows, _) in pairs.items() for _ in rows]
    base, tuned = (np.concatenate([pool.features[key][two[side]] for key, two in pairs.items()]) for side in (0, 1))
    kernel = compare_kernel_distance(
        base, tuned, reference=reference, prompts=names, seed=0, resamples=2, permutations=PERMUTATIONS
    )
    near, then = (nearest_instance_similarity(own, reference) for own in (base, tuned))
    nearest = paired_effect(near, then, names, better="closer", seed=0, resamples=2, permutations=PERMUTATIONS)
    return {f"kernel_{extractor}": kernel.p, "nearest_instance_similarity": nearest.p}


def within_p(pool: Pool, pairs: Pairs) -> dict[str, float | None]:
    """p of the measures within a set: SSIM, PSNR, diversity and perceptual distance."""
    rows = {prompt: np.concatenate(two) for prompt, two in pairs.items()}
    return {
        name: compare_within_set(
            {prompt: matrices[prompt][np.ix_(own, own)] for prompt, own in rows.items()},
            better="closer",  # p is two-sided
            seed=0,
            resamples=2,
            permutations=PERMUTATIONS,
        ).p
        for name, matrices in pool.matrices.items()
    }


def null_comparisons(
    pool: Pool, committed: pd.DataFrame, reference: NDArray[np.float32], params: Params, comparisons: int, seed: int
) -> pd.DataFrame:
    """p of every measure in every null comparison: columns `null`, `measure`, `comparison`, `p`.

    Args:
        pool: base images.
        committed: findings on the run's own images, paired: `group`, `prompt`, `base`, `tuned`.
        reference: features of the instance images.
    """
    rows: list[tuple[str, str, int, float | None]] = []
    sample, few = params.sample, params.measure.within_set_images
    groups = {
        "target": (pool.targets, sample.target_seeds_per_prompt),
        "held_out": (pool.held_out, sample.held_out_seeds_per_prompt),
    }
    for number in tqdm(range(comparisons), desc="null comparisons"):
        rng = numpy_generator("calibration", seed, number)
        p: dict[tuple[str, str], float | None] = {}
        for group, (prompts, most) in groups.items():
            drawn = other_seeds(rng, {prompt: len(pool.anomalous[prompt]) for prompt in prompts}, most)
            findings = [{key: pool.anomalous[key][two[side]] for key, two in drawn.items()} for side in (0, 1)]
            swapped = swapped_findings(rng, committed[committed["group"] == group])
            name = f"anomaly_rate_{group}"
            p[OTHER, name], p[OTHER, name + EXACT] = anomaly_p(*findings)
            p[SWAPPED, name], p[SWAPPED, name + EXACT] = anomaly_p(*swapped)
        for group, (prompts, most) in groups.items():
            sizes = {prompt: len(pool.features[prompt]) for prompt in prompts}
            alike = {prompt: pool.matrices["diversity"][prompt] for prompt in prompts}
            draws = {
                OTHER: [other_seeds(rng, sizes, limit) for limit in (few, most)],
                SWAPPED: [labels_swapped(rng, alike, limit) for limit in (few, most)],
            }
            for null, (set_pairs, pairs) in draws.items():
                found = within_p(pool, set_pairs) | instance_p(pool, pairs, reference, params.measure.extractor)
                p |= {(null, f"{name}{SUFFIXES[group]}"): value for name, value in found.items()}
        rows += [(null, name, number, value) for (null, name), value in p.items()]
    table = pd.DataFrame(rows, columns=["null", "measure", "comparison", "p"])
    return table.sort_values("null", ascending=False, kind="stable", ignore_index=True)


def pool_sizes(pool: Pool, params: Params) -> str:
    """How many images there are to draw from, and how many a comparison takes, in a sentence."""
    first, other = pool.targets[0], pool.held_out[0]
    findings, images = (
        [len(values[prompt]) for prompt in (first, other)] for values in (pool.anomalous, pool.features)
    )
    most = (params.sample.target_seeds_per_prompt, params.sample.held_out_seeds_per_prompt)
    found, seen = (
        [min(limit, size // 2) for limit, size in zip(most, sizes, strict=True)] for sizes in (findings, images)
    )
    few = params.measure.within_set_images
    return (
        f"The pool holds {findings[0]} findings for each of {len(pool.targets)} target prompts and {findings[1]} for"
        f" each of {len(pool.held_out)} held-out prompts, of which a comparison takes {found[0]} and {found[1]} pairs a"
        f" prompt; and {images[0]} and {images[1]} images a prompt, of which the measures against the instance images"
        f" take {seen[0]} and {seen[1]} pairs, and the measures within a set {min(few, seen[0])} and"
        f" {min(few, seen[1])}."
    )


def summary(found: pd.DataFrame) -> pd.DataFrame:
    """How often p < .05 came up, with the share's 95% Wilson interval, and whether it lies from 2% to 8%."""
    rows = []
    for (null, measure), own in found.groupby(["null", "measure"], sort=False):
        p = own["p"].astype(float)
        n, small = len(p), int((p < ALPHA).sum())
        low, high = wilson_interval(small, n)
        rows.append(
            {
                "null": null,
                "measure": measure,
                "comparisons": n,
                "below_05": small,
                "share": small / n,
                "ci_low": low,
                "ci_high": high,
                "mean_p": p.mean(),
                "calibrated": bool(p.notna().all() and LOWEST <= small / n <= HIGHEST),
            }
        )
    return pd.DataFrame(rows)


def write_tables(table: pd.DataFrame, sizes: str) -> None:
    """The table as CSV in full and as Markdown for reading."""
    table.to_csv(FOLDER / "calibration.csv", index=False)
    lines = ["| null | measure | p < .05 | share (95% interval) | mean p |", "|---|---|---|---|---|"]
    for row in table.itertuples(index=False):
        share = f"{row.share:.1%} ({row.ci_low:.1%} to {row.ci_high:.1%})"
        lines.append(
            f"| {row.null} | {row.measure} | {row.below_05} of {row.comparisons} | {share} | {row.mean_p:.3f} |"
        )
    title = "# False positives: the base model against itself"
    how = (__doc__ or "").partition("\n\n")[2].strip()
    note = "Written by `make calibration`; `calibration.csv` holds the figures in full."
    (FOLDER / "calibration.md").write_text("\n".join([title, "", note, "", *lines, "", sizes, "", how, ""]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--comparisons", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--pool", type=Path, default=POOL, help="folder of the pool of images, outside git")
    parser.add_argument("--blocks", type=int, default=BLOCKS, help="size of the pool, in blocks of 192 images")
    parser.add_argument("--write", action="store_true", help="write studies/experiments/calibration.csv and .md")
    options = parser.parse_args()
    params = load_params()
    draw_pool(params, options.pool, options.blocks)
    base, tuned = (pd.read_csv(METRICS / "plots" / f"images_{model}.csv") for model in ("base", "tuned"))
    committed = pair_by_prompt_and_seed(base, tuned, "anomalous")
    store = FeatureStore(options.pool / "features")
    pool = measure_pool(*read_pool(options.pool, options.blocks), base, params, store)
    instances = [load_image(path) for path in read_imagefolder(INSTANCE)["path"]]
    reference = get_extractor(params.measure.extractor).extract(instances, params.measure.batch_size)
    found = null_comparisons(pool, committed, reference, params, options.comparisons, options.seed)
    shares = summary(found)
    print(shares.to_string(index=False))
    if options.write:
        write_tables(shares, pool_sizes(pool, params))
    wrong = shares[~shares["calibrated"] & ~shares["measure"].str.endswith(EXACT)]
    if not wrong.empty:
        names = ", ".join(f"{row.measure} ({row.null}): {row.share:.1%}" for row in wrong.itertuples(index=False))
        raise SystemExit(f"p < .05 comes up in less than {LOWEST:.0%} or more than {HIGHEST:.0%} of {names}")


if __name__ == "__main__":
    main()
