"""Images of evaluations and rounds through the store of samples: the same weights never draw an image twice.

A run that is killed between two checkpoints does some steps again, and comes to the same weights; so does another run
that differs only later on, such as in its number of steps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from diffusers import ModelMixin

from anomend.diffusion.lora import adapter_sha256
from anomend.diffusion.recipes import sampling_recipe
from anomend.diffusion.sharding import is_sharded
from anomend.params.params import Params
from anomend.pictures.image_sets import load_image
from anomend.pictures.sample_store import SampleStore, StoredSamples
from anomend.project.files import sha256_of
from anomend.training.evaluations import Image

Request = tuple[str, int]
"""Prompt and seed."""
Draw = Callable[[Sequence[Request]], list[Image]]
"""Samples requests with the model as it is."""


class StoredEvaluations:
    """Takes images of an adapter from the store, and adds those that are missing."""

    def __init__(
        self, store: SampleStore, recipe: Mapping[str, Any], *, draw: Draw, batch_size: int, gigabytes: float
    ) -> None:
        """
        Args:
            store: keeps the images.
            recipe: what they depend on besides the adapter and the batches.
            draw: samples what is missing.
            batch_size: images that are sampled together. Their last bits depend on one another, so a batch is drawn
                whole.
            gigabytes: size of the store from which on its images are deleted that were used longest ago.
        """
        self.store, self.recipe, self.draw = store, dict(recipe), draw
        self.batch_size, self.gigabytes = batch_size, gigabytes
        self._last: StoredSamples | None = None

    def drawing(self, transformer: ModelMixin) -> Draw:
        """Sampling with a transformer's adapter as it is now.

        Processes that share the model have to draw together, whatever one of them has stored: nothing is stored then.
        """
        if is_sharded(transformer):
            return self.draw
        return self._stored(adapter_sha256(transformer))

    def drawing_base(self, transformer: ModelMixin) -> Draw:
        """Sampling with a transformer's base: its adapter is off meanwhile, and its values do not count."""
        stored = self.draw if is_sharded(transformer) else self._stored(None)

        def draw(requests: Sequence[Request]) -> list[Image]:
            transformer.disable_adapters()
            try:
                return stored(requests)
            finally:
                transformer.enable_adapters()

        return draw

    def _stored(self, adapter: str | None) -> Draw:
        def draw(requests: Sequence[Request]) -> list[Image]:
            starts = range(0, len(requests), self.batch_size)
            batches = [list(requests[start : start + self.batch_size]) for start in starts]
            samples = self._last = self.store.samples(self.recipe | {"lora": adapter, "batches": batches})
            return [image for batch in batches for image in self._images(samples, batch)]

        return draw

    def prune(self) -> None:
        """Keep the store within its bound; the images of the last evaluation stay."""
        if self._last is not None:
            self.store.prune_to(self.gigabytes, keep=self._last.digest)

    def _images(self, samples: StoredSamples, batch: Sequence[Request]) -> list[Image]:
        # Another run with these weights may draw the same batch: whoever comes later waits for its images.
        with samples.block_lock(*batch[0]):
            paths = {request: samples.find(*request) for request in batch}
            found = {request: load_image(path) for request, path in paths.items() if path}
            if len(found) == len(paths):
                return [found[request] for request in batch]
            images = self.draw(batch)
            for request, image in zip(batch, images, strict=True):
                if request not in found:
                    samples.add(*request, image)
            for prompt, of_prompt in groupby(batch, key=lambda request: request[0]):
                seeds = [seed for _, seed in of_prompt]
                samples.note_block(prompt, seeds, again=sum((prompt, seed) in found for seed in seeds))
            return images


def evaluation_recipe(params: Params, *, texts: Path, code: str) -> dict[str, Any]:
    """What images of evaluations depend on besides the adapter, and which ones are drawn together.

    They are apart from those of stage `sample_tuned`: the adapter is the one in training, in float32, its model may be
    compiled or have fewer bits than in sampling, and the texts are those of stage `encode`.

    Args:
        params: all parameters.
        texts: file of the prompts' embeddings, from stage `encode`.
        code: fingerprint of the code that trains.
    """
    bits = params.base.quantise if params.train.quantise_base == "none" else params.train.quantise_base
    return sampling_recipe(params.base, params.sample, code=code) | {
        "quantise": bits,
        "sampled": "while training",
        "compile": params.train.compile,
        "texts": sha256_of(texts),
    }
