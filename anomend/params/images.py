"""Parameters of the instance images: where they come from, and which are good enough."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, ValidationInfo, field_validator

from anomend.params.types import (
    RUN_SETTING,
    AnatomyDetector,
    NotFigures,
    Prompt,
    Rate,
    RequestParams,
    Section,
    Seed,
    Text,
)

SourceName = Annotated[Literal["drawn_people", "folder", "paper", "openai", "base"], NotFigures]
Dollars = Annotated[float, Field(ge=0, le=10_000)]


class FolderParams(Section):
    """Source `folder`: your own pictures."""

    path: str = Field(min_length=1, description="Folder of JPEG, PNG and WebP pictures, with its sub-folders.")
    caption: Prompt | None = Field(
        description="Caption of pictures that have no caption (metadata.jsonl or .csv, a .txt next to the picture, or "
        "a sub-folder named after a target prompt); null: the only target prompt, or the one that the file's name "
        "begins with; a picture of which neither is true is refused."
    )


class PaperParams(Section):
    """Source `paper`: the images that the paper published (`make paper-images`)."""

    path: str = Field(min_length=1, description="Folder that holds instance/; ANOMEND_PAPER_IMAGES overrides it.")


class OpenAIParams(Section):
    """Source `openai`: individuals drawn by an image model, first as the target prompt says, then in other contexts."""

    model: Text = Field(description="Image model; its price is in data/prices.csv.")
    size: Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{2,3}x[1-9][0-9]{2,3}$")] = Field(
        description="Width x height, pixels."
    )
    quality: Literal["low", "medium", "high", "xhigh", "max", "auto"] = Field(description="The model's own scale.")
    output_format: Literal["png", "jpeg", "webp"] = Field(description="File format of the answers.")
    input_fidelity: Literal["low", "high"] | None = Field(
        description="How closely an edit keeps to its reference; null for models without this setting."
    )
    people: list[Text] = Field(min_length=1, description="Descriptions of individuals, used in turn.")
    contexts: list[Prompt] = Field(
        description="Where each individual is drawn again, with the first image as reference; empty: first images only."
    )
    individual_template: str = Field(min_length=1, description="Request for a first image: {person}, {prompt}.")
    context_template: str = Field(min_length=1, description="Request for an edit: {context}.")
    requests: RequestParams


class BaseSourceParams(Section):
    """Source `base`: images of the base itself in which a detector finds no anomaly (docs/rewards.md)."""

    detector: AnatomyDetector = Field(
        description="Detector that decides which images are right; choices as in measure.detector; none where this "
        "source is not used."
    )
    first_seed: Seed = Field(
        description="Seed of the first image of each target prompt; separate from the seeds of stage `sample`."
    )
    max_tries: int = Field(ge=1, description="Most images sampled per image to collect.")
    min_share: float = Field(
        gt=0,
        le=1,
        description="Smallest share of a prompt's images that is enough: with fewer, the stage stops; with more, it "
        "says which prompts are short, and goes on.",
    )


class CollectParams(Section):
    """Where instance images come from."""

    source: SourceName = Field(
        description="drawn_people: drawn by the miniature world; folder: your own pictures; paper: the published "
        "images; openai: bought from an image model; base: the base's own right images."
    )
    images: int = Field(ge=1, le=10_000, description="Images to collect from it; fewer if it has fewer.")
    mix: dict[SourceName, Annotated[int, Field(ge=1, le=10_000)]] = Field(
        description="Further sources, each with its number of images, such as {paper: 5}."
    )
    seed: Seed = Field(description="Seed of the drawings.")
    max_usd: Dollars = Field(
        json_schema_extra=RUN_SETTING,
        description="Most that bought images may cost in total, dollars; ANOMEND_ALLOW_SPEND=1 allows spending.",
    )
    folder: FolderParams
    paper: PaperParams
    openai: OpenAIParams
    base: BaseSourceParams

    @property
    def counts(self) -> dict[str, int]:
        """Images to collect, by source."""
        return dict([(self.source, self.images), *self.mix.items()])

    @field_validator("mix")
    @classmethod
    def _one_count_each(cls, mix: dict[str, int], info: ValidationInfo) -> dict[str, int]:
        if (source := info.data.get("source")) in mix:
            raise ValueError(f"{mix!r} names {source!r}, whose number is collect.images: leave it out")
        return mix


class CriteriaParams(Section):
    """Thresholds for a kept image; null: the detector's default (`anomend/detectors`)."""

    min_side: int | None = Field(ge=16, description="Shorter side, pixels; null: base.resolution.")
    min_area: Rate | None = Field(description="Smallest share of the picture that the person covers.")
    min_inside: Rate | None = Field(description="Smallest share of the person inside the square cut from the picture.")
    max_background: Rate | None = Field(description="Largest share of edge pixels in the background, at 256 pixels.")
    min_sharpness: Rate | None = Field(description="Least sharpness of the person, 1 minus Crete's blur effect.")
    min_body: Rate | None = Field(
        description="Least share of the joints from shoulders to ankles that can be seen; a face alone has 0."
    )
    min_anatomy: Rate | None = Field(description="Least confidence in the person's key points.")
    min_hands: Rate | None = Field(description="Least confidence in the clearest hand, if a hand is in the picture.")
    min_distance: int | None = Field(
        ge=0, le=64, description="Fewest differing bits of the perceptual hash between two kept images."
    )


class CurateParams(Section):
    """Which collected images are good enough to teach the model."""

    detector: AnatomyDetector = Field(
        description="Detector of the people; drawn_people: the miniature's checker; photographs: networks that run "
        "offline; photographs_rtdetr: RT-DETR and ViTPose; none: no detector, only sharpness, background and "
        "repetition; auto: drawn_people for drawn images, photographs for others."
    )
    min_kept: int = Field(ge=1, description="The pipeline stops if fewer images are kept.")
    criteria: CriteriaParams
