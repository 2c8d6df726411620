"""Encoding, training and sampling a tiny base of a family, by the functions that the stages call."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from anomend.diffusion.embeddings import save_encoded, save_texts
from anomend.diffusion.encoding import encode_image_set, texts_at_a_time
from anomend.diffusion.loading import load_for_images
from anomend.diffusion.model_samplers import model_sampler
from anomend.diffusion.recipes import sampling_recipe, text_recipe
from anomend.diffusion.text_store import TextStore
from anomend.diffusion.texts import StoredTexts
from anomend.params.params import Params
from anomend.params.profiles import merge, read_profile, validated
from anomend.pictures.image_sets import ImageFolderWriter, load_image
from anomend.pictures.sample_store import SampleStore
from anomend.project.paths import INSTANCE
from anomend.training.origins import write_origins
from anomend.training.run import TrainedLora, TrainingFolders, run_training
from tests.conftest import ROOT
from tests.families.tiny_bases import write_tiny_base

PROMPTS = ["lying on the grass", "lying on the street, in winter"]
SIDE, STEPS, SCALE, TOKENS = 64, 3, 4.0, 160
SETS = {"instance": 3, "class": 2, "loser": 2}
SMALL: dict[str, Any] = {
    "base": {
        "resolution": SIDE,
        "max_sequence_length": TOKENS,
        "device": "cpu",
        "dtype": "float32",
        "quantise": "none",
        "t5_8bit": False,
    },
    "prompts": {"target": PROMPTS},
    "class_images": {"detector": "none"},
    "losers": {"detector": "photographs"},
    "measure": {"detector": "none"},
    "encode": {"crops": 0},
    "train": {
        "steps": 4,
        "batch_size": 2,
        "class_batch_size": 1,
        "micro_batch_size": None,
        "rank": 2,
        "alpha": 4,
        "learning_rate": 2e-2,
        "lr_scheduler": "constant",
        "warmup_steps": 0,
        "checkpoint_every": 2,
        "ema_decay": 0.0,
        "nft": {"detector": "photographs", "images_per_prompt": 2, "passes": 1, "min_diversity": 0.0},
        "monitor": {"every": 2, "seeds_per_prompt": 1, "validation_draws": 4, "detector": "none"},
    },
    "sample": {"steps": STEPS, "guidance_scale": SCALE, "batch_size": 2},
}


@dataclass(frozen=True)
class TinyRun:
    """A folder with a tiny base and what is encoded with it."""

    name: str
    """Of the base, in the table of bases; its profile is of the same name."""
    folder: Path

    @property
    def base(self) -> Path:
        return self.folder / "base"

    def params(self, **changes: Any) -> Params:
        values = merge(read_profile(self.name, ROOT / "profiles"), {"profile": self.name})
        values = merge(merge(values, SMALL), {"base": {"local_folder": str(self.base)}})
        # A tiny base has two blocks of each kind.
        values["train"]["target_modules"] = [
            name for name in values["train"]["target_modules"] if not re.search(r"\.([2-9]|1\d)\.", name)
        ]
        return validated(merge(values, changes))

    def encode(self, params: Params) -> None:
        """Image sets of noise, with captions, and the prompts' texts."""
        store = TextStore(self.folder / "store")
        recipe = sampling_recipe(params.base, params.sample, code="code")
        encode, pipeline = StoredTexts(params.base, store, text_recipe(recipe)), load_for_images(params.base)
        (self.folder / "encoded").mkdir(exist_ok=True)
        for name, count in SETS.items():
            writer = ImageFolderWriter(self.folder / name)
            for index in range(count):
                pixels = np.random.default_rng([index, count]).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
                prompt = PROMPTS[index % 2]
                writer.add(f"{index}.png", pixels, text=prompt, prompt=prompt, source="base", seed=600_000 + index)
            writer.close()
            augmented = name == INSTANCE.name
            encoded = encode_image_set(
                pipeline,
                self.folder / name,
                base=params.base,
                settings=params.encode,
                encode=encode,
                augmented=augmented,
            )
            save_encoded(self.folder / "encoded" / f"{name}.safetensors", encoded)
        write_origins(self.folder / "encoded", {name: self.folder / name for name in ("instance", "loser")})
        texts = encode(
            [*PROMPTS, ""],
            max_sequence_length=TOKENS,
            batch_size=texts_at_a_time(params.base, params.encode),
        )
        save_texts(self.folder / "encoded" / "prompts.safetensors", texts)

    def folders(self, name: str = "run") -> TrainingFolders:
        work = self.folder / name
        return TrainingFolders(
            encoded=self.folder / "encoded",
            lora=work / "lora",
            curves=work / "curves",
            checkpoints=work / "checkpoints",
            trackers=work / "trackers",
            samples=self.folder / "store",
        )

    def train(self, name: str = "run", **changes: Any) -> TrainedLora:
        return run_training(self.params(**changes), self.folders(name), "code")

    def images(self, lora: Path | None, seeds: range, **changes: Any) -> Mapping[tuple[str, int], np.ndarray]:
        """Images of both prompts through the store, as the stages sample them."""
        params = self.params(**changes)
        sampler = model_sampler(
            params.base, params.sample, store=SampleStore(self.folder / "store"), code="code", lora=lora, description=""
        )
        paths = sampler.images([(prompt, seeds) for prompt in PROMPTS], seeds[0])
        return {key: load_image(path) for key, path in paths.items()}


def tiny_run(name: str, folder: Path) -> TinyRun:
    """The base, written, and its sets, encoded."""
    run = TinyRun(name, folder)
    write_tiny_base(run.base, name)
    run.encode(run.params())
    return run
