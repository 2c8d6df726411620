"""The table of supported base models. It imports nothing heavy: the report and the exports read it without torch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class BaseModel:
    """One supported base."""

    source: str
    """Folder in this repository, or repository on the Hugging Face hub."""
    revision: str | None
    """Pinned commit on the hub; None for a folder, and where `base.revision` has to name one."""
    licence: str
    """Its name, which `anomend.exporting.licences` explains."""
    pipeline: str = "StableDiffusion3Pipeline"
    """diffusers' pipeline class, by which its family is known (`anomend.families.table`)."""
    billions: float | None = None
    """Parameters of the transformer, with which time grows (`anomend.pipeline.costs`); None: it is never estimated."""

    @property
    def on_hub(self) -> bool:
        """Whether it is on the Hugging Face hub, and not in a folder of this repository."""
        return not self.source.startswith("models/")

    @property
    def repository(self) -> str | None:
        """The repository on the Hugging Face hub; None for a folder."""
        return self.source if self.on_hub else None


FILES = (".safetensors", ".json", ".txt", ".model", ".jinja")
"""Endings of a base's files: weights, configurations, vocabularies and chat templates of tokenizers."""
BASE_MODELS = {
    "mini": BaseModel("models/mini", None, "MIT"),
    "sd3-medium": BaseModel(
        "stabilityai/stable-diffusion-3-medium-diffusers",
        "ea42f8cef0f178587cf766dc8129abd379c90671",
        "Stability AI Community License",
        billions=2.0,
    ),
    "sd3.5-medium": BaseModel(
        "stabilityai/stable-diffusion-3.5-medium",
        "b940f670f0eda2d07fbb75229e779da1ad11eb80",
        "Stability AI Community License",
        billions=2.5,
    ),
    "sd3.5-large": BaseModel(
        "stabilityai/stable-diffusion-3.5-large",
        "ceddf0a7fdf2064ea28e2213e3b84e4afa170a0f",
        "Stability AI Community License",
        billions=8.0,
    ),
    # Where these three commits are from: docs/families.md, "Pin the base".
    "flux2-klein": BaseModel(
        "black-forest-labs/FLUX.2-klein-base-4B",
        "a3b4f4849157f664bdbc776fd7453c2783562f4d",
        "Apache-2.0",
        "Flux2KleinPipeline",
        billions=3.9,
    ),
    "z-image": BaseModel(
        "Tongyi-MAI/Z-Image",
        "04cc4abb7c5069926f75c9bfde9ef43d49423021",
        "Apache-2.0",
        "ZImagePipeline",
        billions=6.2,
    ),
    "qwen-image": BaseModel(
        "Qwen/Qwen-Image",
        "75e0b4be04f60ec59a75f475837eced720f823b6",
        "Apache-2.0",
        "QwenImagePipeline",
        billions=20.4,
    ),
    "chroma": BaseModel("lodestones/Chroma1-Base", None, "Apache-2.0", "ChromaPipeline", billions=8.9),
    # Stable Diffusion 3 Medium's shapes with random weights: `make rehearsal` writes it.
    "rehearsal": BaseModel("models/rehearsal", None, "none: random weights"),
}
