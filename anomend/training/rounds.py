"""Rounds of training by rewards: images of the model's own are drawn, rewarded and encoded, to be trained on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from diffusers import ModelMixin

from anomend.diffusion.embeddings import EncodedSet, TextEmbeddings
from anomend.project.slugs import slug
from anomend.training.data import TrainingData
from anomend.training.evaluations import Image
from anomend.training.negative_aware import optimality
from anomend.training.stored_evaluations import Draw, Request

Anomalous = Callable[[Sequence[Image]], Sequence[bool]]
"""Returns for each image whether it has an anomaly."""
EncodeImages = Callable[[Sequence[Image]], tuple[torch.Tensor, torch.Tensor]]
"""Maps images to means and deviations of the VAE's posteriors, each (N, C, h, w)."""


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """Images with their prompts and rewards."""

    ids: list[str]
    prompts: list[str]
    images: Sequence[Image]
    rewards: torch.Tensor
    """(N,), 1 for a right image and 0 for a wrong one; between where people disagree."""
    second_anomalous: int | None = None
    """How many a second detector finds anomalous; None: there is none."""


GetPictures = Callable[[ModelMixin, int], Pictures]
"""Takes the transformer, which has the old weights, and the number of the round, from 0."""


@dataclass(frozen=True, kw_only=True)
class Rounds:
    """Where the data of each round come from."""

    steps: int
    """Optimizer steps from one round to the next."""
    pictures: GetPictures
    encode: EncodeImages
    texts: TextEmbeddings
    """Of the prompts."""
    flip: bool = False
    """From the second round on, each step trains on an image or on its mirror image; both have the image's reward."""
    digest: str | None = None
    """Of pictures that are not drawn while training; None: all are."""

    def data(self, transformer: ModelMixin, number: int, before: TrainingData) -> tuple[TrainingData, Pictures]:
        """What a round trains on, and the images that it is made of.

        Args:
            transformer: has the old weights.
            number: of the round, from 0.
            before: data of the round before; the class images stay.
        """
        drawn = self.pictures(transformer, number)
        versions = [drawn.images]
        if self.flip and number:
            # Mirrored pixels are encoded: mirroring latents is not the same.
            versions.append([image[:, ::-1] for image in drawn.images])
        means, deviations = zip(*map(self.encode, versions), strict=True)
        encoded = EncodedSet(
            ids=drawn.ids,
            mean=torch.stack(means, 1),
            std=torch.stack(deviations, 1),
            caption=torch.tensor([self.texts.captions.index(prompt) for prompt in drawn.prompts]),
            captions=self.texts.captions,
            texts=self.texts.texts,
            prompts=drawn.prompts,
        )
        return replace(before, instance=encoded, optimality=optimality(drawn.rewards, drawn.prompts)), drawn


def drawn_pictures(
    prompts: Sequence[str],
    *,
    per_prompt: int,
    first_seed: int,
    drawing: Callable[[ModelMixin], Draw],
    drawing_base: Callable[[ModelMixin], Draw],
    anomalous: Anomalous,
    second: Anomalous | None = None,
) -> GetPictures:
    """Draws each round's images at seeds of its own, and rewards those without an anomaly.

    Args:
        prompts: the target prompts.
        per_prompt: images of each in a round.
        first_seed: of the first round; further rounds count up.
        drawing: sampling with a transformer as it is.
        drawing_base: sampling with its base, whatever adapter it has: the first round's images.
        anomalous: the detector that rewards.
        second: another one, which looks at the same images; None: there is none.
    """

    def pictures(transformer: ModelMixin, number: int) -> Pictures:
        first = first_seed + number * per_prompt
        requests: list[Request] = [(prompt, seed) for prompt in prompts for seed in range(first, first + per_prompt)]
        images = (drawing if number else drawing_base)(transformer)(requests)
        return Pictures(
            ids=[f"{slug(prompt)}-{seed}.png" for prompt, seed in requests],
            prompts=[prompt for prompt, _ in requests],
            images=images,
            rewards=torch.tensor([0.0 if wrong else 1.0 for wrong in anomalous(images)]),
            second_anomalous=None if second is None else sum(second(images)),
        )

    return pictures


def empty_set() -> EncodedSet:
    """No images: training by rewards begins without any."""
    nothing = torch.zeros(0)
    return EncodedSet(
        ids=[],
        mean=nothing,
        std=nothing,
        caption=torch.zeros(0, dtype=torch.long),
        captions=[],
        texts={},
        prompts=[],
    )
