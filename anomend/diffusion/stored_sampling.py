"""Sampling through the store of samples: only what is missing is made, in blocks that never change.

The last bits of an image depend on the images that it is sampled with. So each prompt's seeds are cut into blocks of
equal size, counted from the first seed, and a block is always made whole, also where only some of it is asked for:
resumed, added to, or shared out over processes, the images are the same bytes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray
from tqdm import tqdm

from anomend.pictures.sample_store import StoredSamples

Image = NDArray[np.uint8]
Draw = Callable[[str, Sequence[int]], Sequence[Image]]
"""Maps a prompt and seeds, one block of them, to images."""
Load = Callable[[Sequence[str]], Draw]
"""Loads the model, with the texts of these prompts."""


@dataclass(frozen=True)
class Block:
    """Images that are sampled together."""

    prompt: str
    seeds: range


@dataclass(frozen=True, kw_only=True)
class StoredSampler:
    """Samples by one recipe, through the store."""

    recipe: Mapping[str, Any]
    """What the images depend on besides prompt and seed (`anomend.diffusion.recipes`)."""
    samples: StoredSamples
    """The store's images of this recipe."""
    load: Load
    """Called once, when the first image is missing."""
    block_size: int
    description: str
    """Names the images in the progress bar; empty: no bar."""

    @property
    def digest(self) -> str:
        """The digest of the recipe, by which an image set names it."""
        return self.samples.digest

    def about(self, prompt: str, seed: int) -> dict[str, Any]:
        """What an image's row in an image set says besides: nothing."""
        return {}

    def images(self, requests: Sequence[tuple[str, range]], first_seed: int) -> dict[tuple[str, int], Path]:
        """The images of some prompts, made where they are not stored yet.

        Several processes may ask for the same images at once: each block is made by the first that comes to it, and
        the call returns when all blocks are there.

        Args:
            requests: prompts, each with its seeds; none below `first_seed`.
            first_seed: the seed from which blocks are counted.

        Returns:
            (prompt, seed) -> the stored PNG.
        """
        blocks = list(blocks_of(requests, first_seed=first_seed, size=self.block_size))
        wanted = {(prompt, seed) for prompt, seeds in requests for seed in seeds}
        missing = [block for block in blocks if not self._has(block, wanted)]
        if missing:
            self._make(missing, wanted, total=len(wanted))
        return {key: path for key in wanted if (path := self.samples.find(*key))}

    def _has(self, block: Block, wanted: set[tuple[str, int]]) -> bool:
        keys = [(block.prompt, seed) for seed in block.seeds if (block.prompt, seed) in wanted]
        return all(self.samples.find(*key) for key in keys)

    def _make(self, missing: list[Block], wanted: set[tuple[str, int]], total: int) -> None:
        draw: Draw | None = None
        with (
            ThreadPoolExecutor(max_workers=1) as writer,
            tqdm(total=total, desc=self.description, unit="image", disable=not self.description) as bar,
        ):
            bar.update(total - sum((b.prompt, seed) in wanted for b in missing for seed in b.seeds))
            written: Future[None] | None = None
            while missing:
                elsewhere = []
                for block in missing:
                    lock = self.samples.block_lock(block.prompt, block.seeds[0])
                    try:
                        lock.acquire(timeout=0)
                    except Timeout:
                        elsewhere.append(block)
                        continue
                    with ExitStack() as held:
                        held.callback(lock.release)
                        if not self._has(block, wanted):
                            draw = draw or self.load(list(dict.fromkeys(b.prompt for b in missing)))
                            images = draw(block.prompt, block.seeds)
                            # One block is written while the next one is sampled.
                            if written is not None:
                                written.result()
                            held.pop_all()
                            written = writer.submit(self._write, block, images, lock)
                    bar.update(sum((block.prompt, seed) in wanted for seed in block.seeds))
                missing = elsewhere
                if missing:
                    time.sleep(0.2)
            if written is not None:
                written.result()

    def _write(self, block: Block, images: Sequence[Image], lock: FileLock) -> None:
        try:
            again = sum(self.samples.find(block.prompt, seed) is not None for seed in block.seeds)
            for seed, image in zip(block.seeds, images, strict=True):
                if self.samples.find(block.prompt, seed) is None:
                    self.samples.add(block.prompt, seed, image)
            self.samples.note_block(block.prompt, block.seeds, again)
        finally:
            lock.release()


def blocks_of(requests: Sequence[tuple[str, range]], *, first_seed: int, size: int) -> Iterator[Block]:
    """The blocks that hold some seeds, each once, in the order of the requests.

    Raises:
        ValueError: a seed lies below the first one.
    """
    seen = set()
    for prompt, seeds in requests:
        if seeds and seeds[0] < first_seed:
            raise ValueError(f"seed {seeds[0]} lies before the first seed, {first_seed}")
        for number in dict.fromkeys((seed - first_seed) // size for seed in seeds):
            if (prompt, number) not in seen:
                seen.add((prompt, number))
                yield Block(prompt, range(first_seed + number * size, first_seed + (number + 1) * size))
