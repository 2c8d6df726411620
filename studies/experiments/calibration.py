"""Are the p-values of `compare` calibrated? The base model is compared with itself many times: `make calibration`.

Where nothing was changed, p < .05 should come up in 5% of comparisons. There are two null hypotheses:

- `other seeds`: base and tuned are disjoint random parts of a pool of base images, prompt by prompt, paired at random.
  The images are drawn at seeds that the pipeline never uses. For anomalies, the pool also has the anomalies of the
  committed run's base images. Within a comparison no image is drawn twice; the next comparison draws from the whole
  pool again. So given the pool, comparisons are independent and equally distributed, and the number of small p is
  binomial. Because there is one pool, the shares hold for its images, as a permutation test's level holds for its data.
- `labels swapped`: a coin decides which image of a pair is called the tuned one; the images of a pair have something in
  common. For anomalies these are the committed run's pairs of base and tuned images. For the other measures, each image
  of the pool is paired with the one most like it. A sign-flip p is computed under this null hypothesis.

The exact McNemar p is listed for comparison; `compare` reports the mid-p.

With 200 comparisons, the share of p < .05 of a correct test is from 2% to 8% in 96.7% of repetitions, so among 28 such
shares one is outside more often than not (a first table of 200 had one at 9.5%). With 1,000 comparisons all 28 are
inside in 99.9% of repetitions.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm import tqdm

from anomend.diffusion.model_samplers import model_sampler
from anomend.measuring.feature_store import FeatureStore
from anomend.measuring.features import get_extractor
from anomend.measuring.group_metrics import SUFFIXES
from anomend.measuring.kernel_distance import compare_kernel_distance
from anomend.measuring.memorisation import nearest_instance_similarity
from anomend.measuring.pairing import pair_by_prompt_and_seed
from anomend.params.params import Params
from anomend.params.resolved import load_params
from anomend.pictures.image_sets import load_image, read_imagefolder
from anomend.pictures.sample_store import SampleStore
from anomend.project.dependencies import recorded_fingerprint
from anomend.project.paths import FEATURE_STORE, INSTANCE, MODELS, PLOTS, SAMPLE_STORE
from anomend.project.seeding import numpy_generator
from anomend.project.shared_folders import shared_folder
from anomend.statistics.exact_tests import mcnemar_test
from anomend.statistics.paired import paired_effect
from anomend.statistics.rate import Rate
from anomend.statistics.within_set import compare_within_set
from studies.experiments.base_pool import BLOCKS, Pool, draw_pool, measure_pool
from studies.experiments.nulls import Anomalous, Pairs, labels_swapped, other_seeds, swapped_anomalies

FOLDER = Path("studies/experiments")
ALPHA, LOWEST, HIGHEST = 0.05, 0.02, 0.08
PERMUTATIONS = 2000
OTHER, SWAPPED = "other seeds", "labels swapped"
EXACT = " (exact McNemar, not reported)"


def anomaly_p(base: Anomalous, tuned: Anomalous) -> tuple[float | None, float]:
    """p as `compare` reports it, and McNemar's exact one."""
    names = [prompt for prompt, values in base.items() for _ in values]
    first, second = np.concatenate(list(base.values())), np.concatenate(list(tuned.values()))
    exact = mcnemar_test(int((first > second).sum()), int((first < second).sum()))
    return paired_effect(first, second, names, better="lower", seed=0, resamples=2).p, exact


def instance_p(pool: Pool, pairs: Pairs, *, reference: NDArray[np.float32], extractor: str) -> dict[str, float | None]:
    """p of the nearness to the instance images: of the kernel distance, and of the nearest instance image."""
    names = [prompt for prompt, (rows, _) in pairs.items() for _ in rows]
    base, tuned = (np.concatenate([pool.features[key][two[side]] for key, two in pairs.items()]) for side in (0, 1))
    kernel = compare_kernel_distance(
        base, tuned, reference=reference, prompts=names, seed=0, resamples=2, permutations=PERMUTATIONS
    )
    before, after = (nearest_instance_similarity(features, reference) for features in (base, tuned))
    nearest = paired_effect(before, after, names, better="closer", seed=0, resamples=2, permutations=PERMUTATIONS)
    return {f"kernel_{extractor}": kernel.p, "nearest_instance_similarity": nearest.p}


def within_p(pool: Pool, pairs: Pairs) -> dict[str, float | None]:
    """p of the measures within a set: SSIM, PSNR, diversity and perceptual distance."""
    rows = {prompt: np.concatenate(two) for prompt, two in pairs.items()}
    return {
        name: compare_within_set(
            {prompt: matrices[prompt][np.ix_(images, images)] for prompt, images in rows.items()},
            better="closer",  # p is two-sided
            seed=0,
            resamples=2,
            permutations=PERMUTATIONS,
        ).p
        for name, matrices in pool.matrices.items()
    }


def null_comparisons(
    pool: Pool,
    committed: pd.DataFrame,
    *,
    reference: NDArray[np.float32],
    params: Params,
    comparisons: int,
    seed: int,
) -> pd.DataFrame:
    """p of every measure in every null comparison: columns `null`, `measure`, `comparison`, `p`.

    Args:
        pool: base images.
        committed: anomalies of the run's images, paired: `group`, `prompt`, `base`, `tuned` (0 or 1).
        reference: features of the instance images.
        params: numbers of seeds, and what is measured.
        comparisons: number of comparisons.
        seed: seed of the draws.
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
            anomalous = [{key: pool.anomalous[key][two[side]] for key, two in drawn.items()} for side in (0, 1)]
            swapped = swapped_anomalies(rng, committed[committed["group"] == group])
            name = f"anomaly_rate_{group}"
            p[OTHER, name], p[OTHER, name + EXACT] = anomaly_p(*anomalous)
            p[SWAPPED, name], p[SWAPPED, name + EXACT] = anomaly_p(*swapped)
        for group, (prompts, most) in groups.items():
            sizes = {prompt: len(pool.features[prompt]) for prompt in prompts}
            alike = {prompt: pool.matrices["diversity"][prompt] for prompt in prompts}
            draws = {
                OTHER: [other_seeds(rng, sizes, limit) for limit in (few, most)],
                SWAPPED: [labels_swapped(rng, alike, limit) for limit in (few, most)],
            }
            for null, (set_pairs, pairs) in draws.items():
                values = within_p(pool, set_pairs)
                values |= instance_p(pool, pairs, reference=reference, extractor=params.measure.extractor)
                p |= {(null, f"{name}{SUFFIXES[group]}"): value for name, value in values.items()}
        rows += [(null, name, number, value) for (null, name), value in p.items()]
    table = pd.DataFrame(rows, columns=["null", "measure", "comparison", "p"])
    return table.sort_values("null", ascending=False, kind="stable", ignore_index=True)


def pool_sizes(pool: Pool, params: Params) -> str:
    """Numbers of images in the pool and in a comparison, in words."""
    first, other = pool.targets[0], pool.held_out[0]
    assessed, images = (
        [len(values[prompt]) for prompt in (first, other)] for values in (pool.anomalous, pool.features)
    )
    most = (params.sample.target_seeds_per_prompt, params.sample.held_out_seeds_per_prompt)
    assessed_pairs, image_pairs = (
        [min(limit, size // 2) for limit, size in zip(most, sizes, strict=True)] for sizes in (assessed, images)
    )
    few = params.measure.within_set_images
    return (
        f"The pool has anomalies of {assessed[0]} images for each of {len(pool.targets)} target prompts and of"
        f" {assessed[1]} for each of {len(pool.held_out)} held-out prompts; a comparison takes {assessed_pairs[0]} and"
        f" {assessed_pairs[1]} pairs per prompt. It has features of {images[0]} and {images[1]} images per prompt; the"
        f" measures against the instance images take {image_pairs[0]} and {image_pairs[1]} pairs, and the measures"
        f" within a set {min(few, image_pairs[0])} and {min(few, image_pairs[1])}."
    )


def summary(found: pd.DataFrame) -> pd.DataFrame:
    """Share of p < .05 with its 95% Wilson interval, and whether it is from 2% to 8%."""
    rows = []
    for (null, measure), comparisons in found.groupby(["null", "measure"], sort=False):
        p = comparisons["p"].astype(float)
        share = Rate.of(int((p < ALPHA).sum()), len(p))
        rows.append(
            {
                "null": null,
                "measure": measure,
                "comparisons": share.n,
                "below_05": share.k,
                "share": share.value,
                "ci_low": share.ci_low,
                "ci_high": share.ci_high,
                "mean_p": p.mean(),
                "calibrated": bool(p.notna().all() and LOWEST <= share.value <= HIGHEST),
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
    note = "Written by `make calibration`; `calibration.csv` has all digits."
    (FOLDER / "calibration.md").write_text("\n".join([title, "", note, "", *lines, "", sizes, "", how, ""]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--comparisons", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--blocks", type=int, default=BLOCKS, help="size of the pool, in blocks of 192 images")
    parser.add_argument("--write", action="store_true", help="write studies/experiments/calibration.csv and .md")
    options = parser.parse_args()
    params = load_params()
    samples = SampleStore(shared_folder(Path.cwd(), SAMPLE_STORE, params.sample.store))
    code = recorded_fingerprint("sampler")
    sampler = model_sampler(params.base, params.sample, store=samples, code=code, description="pool")
    base, tuned = (pd.read_csv(PLOTS / f"images_{model}.csv") for model in MODELS)
    committed = pair_by_prompt_and_seed(base, tuned, "anomalous")
    store = FeatureStore(FEATURE_STORE, params.base.device)
    table, images = draw_pool(params, sampler, options.blocks)
    pool = measure_pool(table, images, assessed=base, params=params, store=store)
    instances = [load_image(path) for path in read_imagefolder(INSTANCE)["path"]]
    reference = get_extractor(params.measure.extractor).extract(instances, params.measure.batch_size)
    p_values = null_comparisons(
        pool,
        committed,
        reference=reference,
        params=params,
        comparisons=options.comparisons,
        seed=options.seed,
    )
    shares = summary(p_values)
    print(shares.to_string(index=False))
    if options.write:
        write_tables(shares, pool_sizes(pool, params))
    wrong = shares[~shares["calibrated"] & ~shares["measure"].str.endswith(EXACT)]
    if not wrong.empty:
        names = ", ".join(f"{row.measure} ({row.null}): {row.share:.1%}" for row in wrong.itertuples(index=False))
        raise SystemExit(f"p < .05 comes up in less than {LOWEST:.0%} or more than {HIGHEST:.0%} of {names}")


if __name__ == "__main__":
    main()
