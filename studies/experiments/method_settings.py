"""The methods that `make methods` compares, as settings of the pipeline."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from anomend.detectors.table import make_detector
from anomend.diffusion.model_samplers import model_sampler
from anomend.labelling.records import COLUMNS, write_labels
from anomend.params.params import Params
from anomend.params.resolved import load_params
from anomend.pictures.image_sets import ImageFolderWriter, load_image
from anomend.pictures.sample_store import SampleStore
from anomend.project.dependencies import recorded_fingerprint
from anomend.project.paths import SAMPLE_STORE
from anomend.project.seeding import python_random

FIRST_SEED = 980_000_000
"""Seeds of the comparison alone: no recipe was chosen by them, and no confirmation uses them."""
REWARDS_FIRST_SEED = 930_000_000
"""The same for rewards, whose recipe was changed after results at 980, 970, 950 and 940 million had been seen."""
LABELLED_SEED = 960_000
"""First seed of the base's images that are labelled."""
LABELLED_PER_PROMPT = 200
SEEDS = {"sample.target_seeds_per_prompt": 160, "sample.held_out_seeds_per_prompt": 80}
MORE_SEEDS = {"sample.target_seeds_per_prompt": 512, "sample.held_out_seeds_per_prompt": 342}
"""1,024 target and 2,052 held-out images, for a bound within two or three points."""
PAPERS: tuple[str, ...] = ("train.steps=500", "train.class_batch_size=0", "train.rank=4", "train.alpha=4")
PAPERS += ("train.warmup_steps=0",)
PAPERS += ("train.target_modules=[to_k, to_q, to_v, to_out.0]", "train.lr_scheduler=constant", "train.ema_decay=0.0")
PAPERS += ("train.monitor.every=0", "train.monitor.patience=0", "train.monitor.keep=last", "encode.flip=false")


@dataclass(frozen=True, kw_only=True)
class Method:
    """One way to correct the base."""

    about: str
    settings: tuple[str, ...] = ()
    make: Callable[[Path], list[str]] | None = None
    """Writes what the method needs into a folder, and returns further settings."""
    costs: tuple[str, ...] = ("train",)
    """Stages whose seconds are those of training."""
    learns_from_instances: bool = True
    labels: int = 0
    """Pictures that somebody labelled."""
    first_seed: int = FIRST_SEED
    seeds: tuple[tuple[str, int], ...] = tuple(SEEDS.items())

    def all_settings(self, train_seed: int, folder: Path) -> list[str]:
        """Settings of one run.

        Args:
            train_seed: seed of the training.
            folder: for what the method writes.
        """
        made = self.make(folder) if self.make else []
        seeds = [f"sample.first_seed={self.first_seed}", *(f"{key}={value}" for key, value in self.seeds)]
        return [*seeds, f"train.seed={train_seed}", *self.settings, *made]


def _labelled(share_wrong: float) -> Callable[[Path], list[str]]:
    """Labels of the base's images by the checker, a share of them turned round."""

    def make(folder: Path) -> list[str]:
        pictures, labels = folder / "pictures", folder / f"labels_{round(100 * share_wrong)}"
        rows = _write_pictures(load_params(), pictures)
        rng = python_random(0, "turned_round", str(share_wrong))
        turned = set(rng.sample(range(len(rows)), round(share_wrong * len(rows))))
        about = {"rater": "checker", "kinds": "", "places": "", "milliseconds": 2000.0, "texts": "study", "showing": 0}
        answers = ["wrong" if wrong != (number in turned) else "nothing" for number, (_, wrong) in enumerate(rows)]
        table = [
            {"picture": sha256, "answer": answer, "gold": ""} | about
            for (sha256, _), answer in zip(rows, answers, strict=True)
        ]
        labels.mkdir(parents=True, exist_ok=True)
        write_labels(labels / "checker.csv", pd.DataFrame(table, columns=list(COLUMNS)))
        return [f"train.labelled.pictures={pictures}", f"train.labelled.labels={labels}"]

    return make


def _write_pictures(params: Params, folder: Path) -> list[tuple[str, bool]]:
    """Images of the base at seeds of their own; SHA-256 of each, and whether it is anomalous."""
    kept = folder / "anomalous.json"
    if kept.exists():
        return [(sha256, wrong) for sha256, wrong in json.loads(kept.read_text())]
    store, code = SampleStore(Path(SAMPLE_STORE).resolve()), recorded_fingerprint("sampler")
    sampler = model_sampler(params.base, params.sample, store=store, code=code, description="images to label")
    seeds = range(LABELLED_SEED, LABELLED_SEED + LABELLED_PER_PROMPT)
    paths = sampler.images([(prompt, seeds) for prompt in params.prompts.target], LABELLED_SEED)
    writer = ImageFolderWriter(folder)
    for number, ((prompt, seed), path) in enumerate(paths.items()):
        writer.add(f"{number:04}.png", load_image(path), text=prompt, prompt=prompt, seed=seed, source="base")
    writer.close()
    detector = make_detector("drawn_people", params.detectors)
    found = detector.anomalies([load_image(path) for path in paths.values()], progress=True)
    rows = [(row["sha256"], bool(kinds)) for row, kinds in zip(writer.rows, found, strict=True)]
    kept.write_text(json.dumps(rows))
    return rows


def _untrained(about: str, *tuned: str) -> Method:
    """The base, sampled in another way."""
    settings = ("train.method=none", *(f"sample.tuned.{one}" for one in tuned))
    return Method(about=about, settings=settings, costs=(), learns_from_instances=False)


_NFT = ("train.method=nft",)
_LABELS = ("train.method=labels", f"train.nft.images_per_prompt={LABELLED_PER_PROMPT}")
METHODS: dict[str, Method] = {
    "nft": Method(
        about="rewards: DiffusionNFT, four rounds of 512 of the model's own images",
        settings=_NFT,
        learns_from_instances=False,
        first_seed=REWARDS_FIRST_SEED,
        seeds=tuple(MORE_SEEDS.items()),
    ),
    "dreambooth": Method(about="DreamBooth by the default recipe, with prior preservation"),
    "labels": Method(
        about="one round on 400 labelled images of the base",
        settings=_LABELS,
        make=_labelled(0.0),
        learns_from_instances=False,
        labels=2 * LABELLED_PER_PROMPT,
    ),
    "labels_10": Method(
        about="the same with one label in ten wrong",
        settings=_LABELS,
        make=_labelled(0.1),
        learns_from_instances=False,
        labels=2 * LABELLED_PER_PROMPT,
    ),
    "rejection": Method(
        about="DreamBooth on the base's own right images",
        settings=("collect.source=base",),
        costs=("collect", "train"),
    ),
    "dpo": Method(
        about="Flow-DPO: instance images against the base's anomalous ones",
        settings=("train.method=dpo",),
        costs=("losers", "train"),
    ),
    "dreambooth_paper": Method(
        about="DreamBooth as in the paper: no prior preservation, rank 4, attention alone, no average of weights",
        settings=PAPERS,
    ),
    "nft_short": Method(
        about="rewards for about as long as DreamBooth trains: four rounds of 96 images",
        settings=(*_NFT, "train.nft.images_per_prompt=48", "train.steps=72", "train.monitor.every=72"),
        learns_from_instances=False,
        first_seed=REWARDS_FIRST_SEED,
    ),
    "dreambooth_long": Method(
        about="DreamBooth with five times the steps",
        settings=("train.steps=1500", "train.monitor.every=300"),
    ),
    "dpo_planted": Method(
        about="Flow-DPO against the drawn scenes with an anomaly planted in each, beta in units of the base's loss",
        settings=("train.method=dpo", "losers.source=planted", "train.dpo.beta_unit=base_error", "train.dpo.beta=20"),
        costs=("losers", "train"),
    ),
    "best_of_4": _untrained(
        "no training: the first of four images in which the checker finds nothing",
        "best_of.n=4",
        "best_of.first_seed=995000000",
    ),
    "negative_prompt": _untrained(
        "no training: a negative prompt", "negative_prompt='extra limbs, missing limbs, detached limbs'"
    ),
    "skip_layers": _untrained(
        "no training: skip-layer guidance, layers 2 and 3 of six", "skip_layers.layers=[2,3]", "skip_layers.stop=0.5"
    ),
}
