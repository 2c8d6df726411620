"""Parameters of the base model, its images, and their encoding."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from anomend.params.external import ExternalLoraParams
from anomend.params.tuned import SEEDS_PER_TRY, TunedParams
from anomend.params.types import RUN_SETTING, AnatomyDetector, Prompt, Section, Seed


class BaseModelParams(Section):
    """The model to correct."""

    name: Literal[
        "mini",
        "sd3-medium",
        "sd3.5-medium",
        "sd3.5-large",
        "flux2-klein",
        "z-image",
        "qwen-image",
        "chroma",
        "rehearsal",
    ] = Field(description="Base model: a row of the table of supported bases.")
    local_folder: str | None = Field(
        None, description="Folder with the base in diffusers' layout; null: the model named in the table."
    )
    revision: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")] | None = Field(
        None,
        description="Commit of the base on the hub, 40 hexadecimal digits; null: the table's, if it has one.",
    )
    resolution: int = Field(ge=16, le=2048, multiple_of=16, description="Side of training and sampled images, pixels.")
    max_sequence_length: int = Field(
        ge=1, le=512, description="Length of the text in tokens; with CLIP and T5, of the T5 part."
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        json_schema_extra=RUN_SETTING, description="Device that models run on; auto: a GPU if there is one."
    )
    dtype: Literal["float32", "bfloat16", "float16"] = Field(
        description="Precision of the frozen base; in float16 training scales the loss, to keep small gradients."
    )
    quantise: Literal["none", "int8", "nf4"] = Field(
        "none",
        description="Keep the transformer in 8 or 4 bits, in training and wherever images are sampled (bitsandbytes; "
        "needs a CUDA GPU).",
    )
    t5_8bit: bool = Field(
        False,
        description="Load T5, or the language model that encodes texts, in 8 bits wherever texts are encoded "
        "(bitsandbytes; needs a CUDA GPU).",
    )


_MIN_SHARE = (
    "Smallest share of per_prompt that is enough: with fewer images, the stage stops; with more, it says which prompts "
    "are short, and goes on."
)


class ClassImageParams(Section):
    """Images of the base model itself for prior preservation."""

    prompts: list[Prompt] = Field(
        min_length=1,
        description="Prompts of the class images. None may equal a held-out prompt word for word, and half of the "
        "held-out prompts or more must be of other content.",
    )
    per_prompt: int = Field(ge=0, description="Images kept per prompt; 0: no class images.")
    max_tries: int = Field(ge=1, description="Most images sampled per kept image.")
    min_share: float = Field(gt=0, le=1, description=_MIN_SHARE)
    first_seed: Seed = Field(description="Seed of the first image; the next ones count up.")
    detector: AnatomyDetector = Field(
        description="Detector that removes anomalous class images; choices as in measure.detector; none: keep all."
    )


class LoserParams(Section):
    """Anomalous images of the base for the target prompts: the losers of `train.method: dpo`."""

    source: Literal["base", "planted"] = Field(
        "base",
        description="base: the base's own anomalous images. planted: the scenes of the drawn instance images, each "
        "with an anomaly planted in it, as the loser of its own image; for the source drawn_people alone.",
    )
    per_prompt: int = Field(ge=1, description="Anomalous images kept per target prompt.")
    max_tries: int = Field(ge=1, description="Most images sampled per kept image.")
    min_share: float = Field(gt=0, le=1, description=_MIN_SHARE)
    first_seed: Seed = Field(description="Seed of the first image; separate from the seeds of stage `sample`.")
    detector: AnatomyDetector = Field(
        description="Detector of the anomalies; choices as in measure.detector; none if train.method needs no losers."
    )


class EncodeParams(Section):
    """Latents and text embeddings, computed once."""

    batch_size: int = Field(
        json_schema_extra=RUN_SETTING, ge=1, description="Images encoded at a time, and captions of a base without T5."
    )
    flip: bool = Field(description="Mirror instance images in half of the steps.")
    crops: int = Field(
        ge=0, le=64, description="Random crops per instance image, in addition to the whole image; 0: none."
    )
    min_crop: float = Field(ge=0.25, le=1, description="Smallest side of a crop, as a share of the image's side.")
    seed: Seed = Field(description="Seed of the crops.")
    t5_8bit: bool = Field(
        description="Quirk: load T5 in 8 bits for the training's texts alone, whatever base.t5_8bit is. Wrong: the "
        "model is sampled with text that it was not trained with."
    )
    one_caption: Prompt | None = Field(
        description="Quirk: train on this literal text for every instance image, such as 'lying on the grass/street'. "
        "Wrong: no sampled prompt equals the trained text. null: each image's own caption."
    )
    training_sequence_length: int | None = Field(
        ge=1,
        le=512,
        description="Quirk: another T5 length for training than for sampling (77 in diffusers' script, 256 in its "
        "pipeline). Wrong: the model is sampled with text that it was not trained with. null: the same.",
    )


class SampleParams(Section):
    """Images of the base and of the tuned model at the same prompts and seeds."""

    target_seeds_per_prompt: int = Field(ge=1, description="Images per target prompt.")
    held_out_seeds_per_prompt: int = Field(
        ge=1,
        description="Images per held-out prompt, and per sibling: fewer are enough, because there are more of these "
        "prompts.",
    )
    first_seed: Seed = Field(description="Seed of the first image of each prompt; the next ones count up.")
    steps: int = Field(ge=1, le=1000, description="Sampling steps.")
    guidance_scale: float = Field(ge=1, le=50, description="Classifier-free guidance; 1: none.")
    batch_size: int = Field(
        json_schema_extra=RUN_SETTING,
        ge=1,
        description="Images sampled at a time: the seeds of a prompt in blocks of this size, the last one always "
        "whole. Choose a divisor of the numbers of seeds.",
    )
    launcher: list[str] = Field(
        json_schema_extra=RUN_SETTING,
        description="Command put before `-m stages.sample` (and class_images, losers, and collect with the "
        "source base), such as [accelerate, launch, --config_file, FILE]: its processes share the images; empty: one "
        "process.",
    )
    store: str | None = Field(
        json_schema_extra=RUN_SETTING,
        description="Folder of the store of samples; null: .samples of the main checkout, which experiments and "
        "worktrees share.",
    )
    store_gigabytes: float = Field(
        json_schema_extra=RUN_SETTING,
        gt=0,
        description="Size of the store, from which on the images that were used longest ago are deleted.",
    )
    tuned: TunedParams = Field(default=TunedParams())
    against: ExternalLoraParams = Field(default=ExternalLoraParams())

    @property
    def passes(self) -> int:
        """Forward passes of the denoiser for one image: guidance evaluates the prompt and the empty prompt."""
        return self.steps * (2 if self.guidance_scale > 1 else 1)

    @property
    def tuned_passes(self) -> int:
        """The same for one image that the tuned model draws, whether it is kept or not."""
        return self.passes + self.tuned.skip_layers.guided_steps(self.steps)

    @property
    def most_seeds(self) -> int:
        """Seeds of the prompts that have most."""
        return max(self.target_seeds_per_prompt, self.held_out_seeds_per_prompt)

    @model_validator(mode="after")
    def _the_tuned_model_can_be_sampled(self) -> SampleParams:
        tuned = self.tuned
        if tuned.guided and self.guidance_scale == 1:
            name = "skip_layers" if tuned.negative_prompt is None else "negative_prompt"
            raise ValueError(
                f"sample.tuned.{name} is a part of guidance, and sample.guidance_scale = 1 turns that off: raise it, "
                f"or leave {name} out"
            )
        skip = tuned.skip_layers
        if skip.layers and not skip.guided_steps(self.steps):
            raise ValueError(
                f"sample.tuned.skip_layers: none of sample.steps = {self.steps} steps lies between start = "
                f"{skip.start:g} and stop = {skip.stop:g} of them: widen these, or sample in more steps"
            )
        if tuned.best_of.n and tuned.best_of.detector == "none":
            raise ValueError(
                f"sample.tuned.best_of.n = {tuned.best_of.n} needs a detector that tells right images from wrong ones, "
                "and sample.tuned.best_of.detector = 'none': choose one"
            )
        if tuned.best_of.n and self.most_seeds > SEEDS_PER_TRY:
            raise ValueError(
                f"sample.tuned.best_of takes at most {SEEDS_PER_TRY:,} seeds per prompt, and sample asks for "
                f"{self.most_seeds:,}: lower these, or set best_of.n to none"
            )
        return self
