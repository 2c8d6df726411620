"""The table of supported base models. It imports nothing heavy: the report and the exports read it without torch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class BaseModel:
    """One supported base."""

    source: str
    """Folder in this repository, or repository on the Hugging Face hub."""
    revision: str | None
    """Pinned commit on the hub; None for a folder."""
    licence: str
    """Its name, which `anomend.exporting.licences` explains."""

    @property
    def repository(self) -> str | None:
        """The repository on the Hugging Face hub; None for a folder."""
        return self.source if self.revision else None


FILES = (".safetensors", ".json", ".txt", ".model")
"""Endings of a base's files: weights, configurations, vocabularies of tokenizers."""
BASE_MODELS = {
    "mini": BaseModel("models/mini", None, "MIT"),
    "sd3-medium": BaseModel(
        "stabilityai/stable-diffusion-3-medium-diffusers",
        "ea42f8cef0f178587cf766dc8129abd379c90671",
        "Stability AI Community License",
    ),
    "sd3.5-medium": BaseModel(
        "stabilityai/stable-diffusion-3.5-medium",
        "b940f670f0eda2d07fbb75229e779da1ad11eb80",
        "Stability AI Community License",
    ),
    "sd3.5-large": BaseModel(
        "stabilityai/stable-diffusion-3.5-large",
        "ceddf0a7fdf2064ea28e2213e3b84e4afa170a0f",
        "Stability AI Community License",
    ),
    # Stable Diffusion 3 Medium's shapes with random weights: `make rehearsal` writes it.
    "rehearsal": BaseModel("models/rehearsal", None, "none: random weights"),
}
