"""Parameters of training by rewards: `train.method: nft`, and its offline form `labels`."""

from __future__ import annotations

from pydantic import Field, model_validator

from anomend.params.types import AnatomyDetector, Rate, Section, Seed


class NftParams(Section):
    """DiffusionNFT, used with `train.method: nft`, and with `labels`, which has one round of images of the base.

    A round draws images of the target prompts with the old weights, rewards the right ones, and makes `passes` passes
    over them; then the old weights follow those in training."""

    images_per_prompt: int = Field(ge=2, le=10_000, description="Images per target prompt in a round.")
    sample_steps: int | None = Field(
        None, ge=1, le=1000, description="Sampling steps of these images; null: as in sample.steps."
    )
    passes: int = Field(
        ge=1, le=1000, description="How often a round trains on each of its images; labels: until train.steps."
    )
    first_seed: Seed = Field(
        description="Seed of the first round's first image; each round takes the next ones. Separate from all others."
    )
    detector: AnatomyDetector = Field(
        description="Detector that rewards: 1 for an image without an anomaly, 0 for another; choices as in "
        "measure.detector; none if train.method needs no rewards."
    )
    flip: bool = Field(
        description="From the second round on, train on mirror images in half of the steps; wrong where left and right "
        "matter, as in text."
    )
    beta: float = Field(
        gt=0, le=10, description="Mixing of old and new velocity (b in the paper): smaller moves further per image."
    )
    kl_weight: float = Field(
        ge=0,
        le=1000,
        description="Weight of the tie to the base on a round's images: the squared difference of the velocities times "
        "sigma / (1 - sigma), at most 40.",
    )
    norm_weight: float = Field(
        ge=0, le=1000, description="Weight of the hinge on velocities that are longer than the base's; 0: none."
    )
    old_decay_growth: float = Field(
        ge=0, le=1, description="After its n-th round the share of the old weights that stays is n times this, ..."
    )
    old_decay_most: float = Field(ge=0, lt=1, description="... but at most this.")
    min_diversity: Rate = Field(
        description="Stop when a round's right images are less diverse than this share of the first round's; 0: never."
    )
    second_detector: AnatomyDetector = Field(
        "none",
        description="Another detector, which sees each round's images and rewards nothing; none: there is none.",
    )
    max_detector_gap: Rate | None = Field(
        0.3,
        description="Stop when the share that is left of the first round's anomaly rate is larger by second_detector "
        "than by detector, by more than this; null: go on.",
    )


class LabelledParams(Section):
    """Labelled pictures, used with `train.method: labels`."""

    pictures: str | None = Field(
        None,
        description="Image folder with metadata.jsonl, such as a copy of data/samples/base from other seeds; null: the "
        "base's images at train.nft.first_seed, labelled by train.nft.detector.",
    )
    labels: str | None = Field(
        None, description="Folder with people's labels of these pictures, CSV as in data/labels; null: no people."
    )

    @model_validator(mode="after")
    def _both(self) -> LabelledParams:
        if (self.pictures is None) != (self.labels is None):
            raise ValueError(
                "train.labelled.pictures and train.labelled.labels belong together: set both, or neither for labels by "
                "train.nft.detector"
            )
        return self
