"""Latents and text embeddings, computed once and kept on disk by sample id.

Training then needs neither the VAE nor a text encoder in memory, and no latent can get another sample's caption.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import DiffusionPipeline
from numpy.typing import NDArray
from PIL import Image
from safetensors import safe_open
from safetensors.torch import save_file
from tqdm import tqdm

from anomend.diffusion.finite import check_finite
from anomend.families.family import Texts
from anomend.families.table import family_of
from anomend.project.devices import device_name
from anomend.project.files import written_whole
from anomend.project.seeding import numpy_generator
from anomend.project.timing import timed_work


@dataclass(frozen=True)
class TextEmbeddings:
    """Texts as the transformer takes them."""

    captions: list[str]
    """The distinct texts."""
    texts: Texts
    """Their tensors, float32, by the names of the base's family."""

    def rows(self, texts: Sequence[str]) -> Texts:
        """The tensors of some of the texts, in this order; a text may come several times."""
        places = [self.captions.index(text) for text in texts]
        return {name: values[places] for name, values in self.texts.items()}


@dataclass(frozen=True)
class EncodedSet:
    """An image set as the transformer takes it, before the latent format is applied (see `latent_format`)."""

    ids: list[str]
    """Sample ids: the images' file names."""
    mean: torch.Tensor
    """Means of the VAE's posteriors, (N, views, C, h, w), float32; view 0 is the image as it is (see `views`)."""
    std: torch.Tensor
    """Standard deviations of the VAE's posteriors, (N, views, C, h, w), float32."""
    caption: torch.Tensor
    """Row of each sample's caption in `captions` and `texts`, (N,)."""
    captions: list[str]
    """The distinct captions."""
    texts: Texts
    """Their tensors, float32, by the names of the base's family."""
    prompts: list[str]
    """The prompt that each sample is an image of, whatever its caption, (N,)."""

    def __len__(self) -> int:
        return len(self.ids)


def views(
    image: NDArray[np.uint8], sample: str, *, flip: bool, crops: int, min_crop: float, seed: int
) -> list[NDArray[np.uint8]]:
    """The versions of an image from which each training step draws one: the image, crops, and their mirror images.

    Each version is encoded separately, because cropping or mirroring latents is not the same as encoding the cropped
    or mirrored pixels.

    Args:
        image: RGB, (side, side, 3).
        sample: sample id, part of the key of the random crops.
        flip: add the mirror image of each version; wrong where left and right matter, as they do in text.
        crops: number of square crops to add, scaled back to the size of the image.
        min_crop: smallest side of a crop, as a share of the image's.
        seed: seed of the crops.

    Returns:
        1 + crops images, twice as many with `flip`; the first is the image itself.
    """
    side = image.shape[0]
    versions = [image]
    for crop in range(crops):
        generator = numpy_generator(seed, "crop", sample, crop)
        width = round(side * generator.uniform(min_crop, 1))
        left, top = generator.integers(0, side - width + 1, 2)
        cut = Image.fromarray(image).crop((left, top, left + width, top + width))
        versions.append(np.asarray(cut.resize((side, side), Image.Resampling.LANCZOS)))
    return versions + [np.ascontiguousarray(version[:, ::-1]) for version in versions if flip]


@torch.no_grad()
def encode_images(
    pipeline: DiffusionPipeline, images: Sequence[NDArray[np.uint8]], batch_size: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Posterior means and standard deviations of RGB images of one size, in float32 whatever the VAE's file holds."""
    family, vae = family_of(pipeline), pipeline.vae.float()
    means, deviations = [], []
    for start in tqdm(range(0, len(images), batch_size), desc="encoding images", unit="batch", delay=2):
        part = images[start : start + batch_size]
        with timed_work("encoding", len(part), device_name(vae.device)):
            batch = torch.from_numpy(np.stack(part)).to(vae.device)
            mean, deviation = family.posterior(vae, batch.permute(0, 3, 1, 2).float() / 127.5 - 1)
            means.append(mean.cpu())
            deviations.append(deviation.cpu())
    return torch.cat(means), torch.cat(deviations)


@torch.no_grad()
def encode_captions(
    pipeline: DiffusionPipeline, captions: Sequence[str], *, max_sequence_length: int, batch_size: int
) -> Texts:
    """Texts as the pipeline encodes them, float32.

    Raises:
        ValueError: an embedding is not finite, which float16 can lead to.
    """
    family = family_of(pipeline)
    batches: list[Texts] = []
    starts = range(0, len(captions), batch_size)
    for start in tqdm(starts, desc="encoding captions", unit="batch", disable=len(starts) == 1):
        batch = list(captions[start : start + batch_size])
        encoded = family.encode(pipeline, batch, max_sequence_length)
        batches.append(
            {name: (each.float() if each.is_floating_point() else each).cpu() for name, each in encoded.items()}
        )
        for name, rows in batches[-1].items():
            kind = "text embedding" if name == "embeds" else f"{name} text embedding"
            for caption, values in zip(batch, rows, strict=True):
                check_finite(values, f"the {kind} of {caption!r}")
    return {name: torch.cat([each[name] for each in batches]) for name in batches[0]}


def encode_texts(
    pipeline: DiffusionPipeline, texts: Sequence[str], *, max_sequence_length: int, batch_size: int
) -> TextEmbeddings:
    """Embeddings of distinct texts; guidance also needs the empty text, from which it moves away."""
    encoded = encode_captions(pipeline, texts, max_sequence_length=max_sequence_length, batch_size=batch_size)
    return TextEmbeddings(list(texts), encoded)


def save_texts(path: Path, texts: TextEmbeddings) -> None:
    """Write embeddings of texts as safetensors."""
    tensors = {name: values.contiguous() for name, values in texts.texts.items()}
    with written_whole(path) as partial:
        save_file(tensors, partial, metadata={"captions": json.dumps(texts.captions)})


def load_texts(path: Path) -> TextEmbeddings:
    """Read a file of `save_texts`."""
    with safe_open(path, framework="pt") as handle:
        captions = json.loads(handle.metadata()["captions"])
        return TextEmbeddings(captions, {name: handle.get_tensor(name) for name in sorted(handle.keys())})


def save_encoded(path: Path, encoded: EncodedSet) -> None:
    """Write an encoded set as safetensors: `mean/<id>`, `std/<id>`, and the captions' tensors by their names."""
    tensors = {name: values.contiguous() for name, values in encoded.texts.items()}
    for row, sample in enumerate(encoded.ids):
        tensors[f"mean/{sample}"] = encoded.mean[row].contiguous()
        tensors[f"std/{sample}"] = encoded.std[row].contiguous()
    rows = {sample: int(encoded.caption[row]) for row, sample in enumerate(encoded.ids)}
    prompts = dict(zip(encoded.ids, encoded.prompts, strict=True))
    index = json.dumps({"captions": encoded.captions, "caption_of": rows, "prompt_of": prompts}, sort_keys=True)
    with written_whole(path) as partial:
        save_file(tensors, partial, metadata={"index": index})


def load_encoded(path: Path) -> EncodedSet:
    """Read a file of `save_encoded`; samples are in the order of their ids."""
    with safe_open(path, framework="pt") as handle:
        index = json.loads(handle.metadata()["index"])
        ids = sorted(index["caption_of"])
        return EncodedSet(
            ids=ids,
            mean=torch.stack([handle.get_tensor(f"mean/{sample}") for sample in ids]),
            std=torch.stack([handle.get_tensor(f"std/{sample}") for sample in ids]),
            caption=torch.tensor([index["caption_of"][sample] for sample in ids]),
            captions=index["captions"],
            texts={name: handle.get_tensor(name) for name in sorted(handle.keys()) if "/" not in name},
            prompts=[index["prompt_of"][sample] for sample in ids],
        )
