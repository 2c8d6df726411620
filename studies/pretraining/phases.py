"""The phases of the transformer's training: what each one starts from, and the frozen parts that it needs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from diffusers import SD3Transformer2DModel

    from studies.pretraining.settings import PretrainingSettings

BUILD = Path("studies/pretraining/build")
EMBEDDED = Path("models/mini")


@dataclass(frozen=True, kw_only=True)
class Phase:
    """Where a phase finds what it does not train."""

    start: Path | None
    """Folder of the transformer that it continues from; None: random weights."""
    autoencoder: Path = BUILD / "autoencoder"
    text_encoders: Path = BUILD / "text_encoders"
    """Folder of both, with their tokenizers."""


PHASES = {
    "right": Phase(start=None),
    "defect": Phase(start=BUILD / "right"),
    "null_base": Phase(start=EMBEDDED / "transformer", autoencoder=EMBEDDED / "vae", text_encoders=EMBEDDED),
}
"""`null_base` needs no other phase: it starts from the embedded base as it is committed, with its frozen parts."""


def first_transformer(phase: Phase, settings: PretrainingSettings) -> SD3Transformer2DModel:
    """The transformer that a phase starts with, in single precision."""
    from diffusers import SD3Transformer2DModel

    from anomend.miniature.pipeline import build_transformer

    if phase.start is not None:
        return SD3Transformer2DModel.from_pretrained(phase.start).float()
    shape = settings.transformer
    return build_transformer(
        layers=shape.layers,
        heads=shape.heads,
        head_dim=shape.head_dim,
        text_width=2 * settings.text_encoders.hidden_size,
        latent_channels=settings.autoencoder.latent_channels,
    )
