"""Sample images with one CPU generator per image, so that each image depends only on its own seed."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TypedDict

import numpy as np
import torch
from diffusers import DiffusionPipeline
from numpy.typing import NDArray
from tqdm import tqdm

from anomend.diffusion.embeddings import TextEmbeddings, encode_texts
from anomend.diffusion.loading import load_for_sampling, load_for_texts
from anomend.diffusion.merging import merged_adapters
from anomend.diffusion.texts import StoredTexts
from anomend.families.family import to_dtype
from anomend.families.table import family_of
from anomend.params.diffusion import BaseModelParams, SampleParams
from anomend.project.devices import device_name
from anomend.project.timing import timed_work


def load_sampler(
    base: BaseModelParams, prompts: Iterable[str], stored: StoredTexts | None = None
) -> tuple[DiffusionPipeline, TextEmbeddings]:
    """Transformer and VAE on the base's device, and the prompts' embeddings, for `sample_images`.

    The text encoders, which may include T5-XXL, are freed before the transformer is loaded.

    Args:
        base: the base.
        prompts: the prompts.
        stored: takes embeddings from the store and adds to it; None: encode all of them.

    Raises:
        ValueError: the base cannot be loaded.
    """
    encode = stored or partial(encode_texts, load_for_texts(base))
    # One at a time: the last bits of a text's embedding depend on the texts that it is encoded with.
    texts = encode(sorted({*prompts, ""}), max_sequence_length=base.max_sequence_length, batch_size=1)
    del encode
    if stored is not None:
        stored.free()
    gc.collect()
    torch.cuda.empty_cache()
    return load_for_sampling(base), texts


class SamplingOptions(TypedDict):
    """Options that are the same for all sampled images: see `sample_images`."""

    steps: int
    guidance_scale: float
    resolution: int
    max_sequence_length: int
    batch_size: int


def sampling_options(base: BaseModelParams, sample: SampleParams) -> SamplingOptions:
    """The options with which base and tuned model are sampled everywhere."""
    return SamplingOptions(
        steps=sample.steps,
        guidance_scale=sample.guidance_scale,
        resolution=base.resolution,
        max_sequence_length=base.max_sequence_length,
        batch_size=sample.batch_size,
    )


@torch.no_grad()
def sample_images(
    pipeline: DiffusionPipeline,
    requests: Sequence[tuple[str, int]],
    *,
    steps: int,
    guidance_scale: float,
    resolution: int,
    max_sequence_length: int,
    batch_size: int,
    description: str = "sampling",
    texts: TextEmbeddings | None = None,
) -> Iterator[NDArray[np.uint8]]:
    """Sample one image per request, in batches.

    Args:
        pipeline: the model, on its device.
        requests: (prompt, seed) of each image. The starting noise is drawn by a CPU generator with that seed, so that
            base and tuned model start from the same noise on any device.
        steps: sampling steps of the pipeline's scheduler.
        guidance_scale: classifier-free guidance; 1 turns it off.
        resolution: side of the images in pixels.
        max_sequence_length: length of the text in tokens; where there are CLIP and T5, of the T5 part.
        batch_size: images at a time; it changes nothing except rounding.
        description: label of the progress bar; empty: no bar.
        texts: embeddings of the prompts and of the empty prompt, which replace the text encoders; None: encode them.

    Yields:
        RGB images, (resolution, resolution, 3), uint8, contiguous, in the order of the requests.
    """
    if texts is None:
        prompts = sorted({prompt for prompt, _ in requests} | {""})
        texts = encode_texts(pipeline, prompts, max_sequence_length=max_sequence_length, batch_size=16)
    family = family_of(pipeline.transformer)
    dtype, device = pipeline.transformer.dtype, pipeline.transformer.device
    encoded = TextEmbeddings(texts.captions, to_dtype(texts.texts, device, dtype))
    passes, name = steps * (2 if guidance_scale > 1 else 1), device_name(device)
    kind = "adapted" if getattr(pipeline.transformer, "peft_config", None) else "sampling"
    with tqdm(total=len(requests), desc=description, unit="image", disable=not description) as bar:
        for start in range(0, len(requests), batch_size):
            batch = requests[start : start + batch_size]
            wanted = family.wanted(encoded.rows([prompt for prompt, _ in batch]))
            unwanted = family.unwanted(encoded.rows([""] * len(batch))) if guidance_scale > 1 else {}
            with (
                timed_work(kind, len(batch) * passes, name),
                merged_adapters(pipeline.transformer),
                _finite_decodings(pipeline.vae) as decodings,
            ):
                images = pipeline(
                    **wanted,
                    **unwanted,
                    **family.guidance(guidance_scale),
                    generator=[torch.Generator().manual_seed(seed) for _, seed in batch],
                    num_inference_steps=steps,
                    height=resolution,
                    width=resolution,
                    output_type="np",
                ).images
            # An image may come in tiles, one image after the other.
            parts = np.array_split(decodings, len(batch))
            for (prompt, seed), image, part in zip(batch, images, parts, strict=True):
                if not (np.isfinite(image).all() and part.all()):
                    raise ValueError(
                        f"the image of {prompt!r} at seed {seed} is not finite: the weights are broken, or {dtype} is "
                        "too small for this base: set base.dtype to bfloat16 or float32"
                    )
            bar.update(len(batch))
            # In the order of a file's pixels: a network's last bits depend on how its input lies in memory, and an
            # image that was drawn just now must give the same ones as the same image from the store.
            yield from (images * 255).round().astype(np.uint8, order="C")


@contextmanager
def _finite_decodings(vae: torch.nn.Module) -> Iterator[list[bool]]:
    """Inside, whether each image that the VAE decodes is finite: the pipeline makes white or black of what is not."""
    finite: list[bool] = []

    def note(_: object, __: object, decoded: torch.Tensor) -> None:
        finite.extend(torch.isfinite(decoded).flatten(1).all(1).tolist())

    hook = vae.get_submodule("decoder").register_forward_hook(note)
    try:
        yield finite
    finally:
        hook.remove()
