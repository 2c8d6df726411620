"""Settings of the pre-training, read from `studies/pretraining/params.yaml`, and where its metrics are written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from pydantic import BaseModel, ConfigDict, Field


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AutoencoderSettings(_Section):
    """The AutoencoderKL and its training."""

    seed: int
    pictures: int = Field(gt=0)
    channels: list[int]
    latent_channels: int = Field(gt=0)
    steps: int = Field(gt=0)
    batch_size: int = Field(gt=0)
    learning_rate: float = Field(gt=0)
    kl_weight: float = Field(ge=0)
    checkpoint_every: int = Field(gt=0)


class TextEncoderSettings(_Section):
    """The two CLIP text encoders and their training."""

    seed: int
    hidden_size: int = Field(gt=0)
    layers: int = Field(gt=0)
    tokens: int = Field(gt=0)
    """Length that every caption is padded to."""
    captions: int = Field(gt=0)
    steps: int = Field(gt=0)
    learning_rate: float = Field(gt=0)


class PhaseSettings(_Section):
    """One phase of the transformer's training."""

    seed: int
    pictures: int = Field(gt=0)
    defect_rate: float = Field(ge=0, le=1)
    focus: float = Field(ge=0, le=1)
    contrast: float = Field(ge=0, le=1)
    steps: int = Field(gt=0)
    batch_size: int = Field(gt=0)
    learning_rate: float = Field(gt=0)
    warmup_steps: int = Field(ge=0)
    hold: float = Field(ge=0, le=1)
    """Share of the steps at the full learning rate, before it decays linearly to 1%."""
    ema_decay: float = Field(ge=0, lt=1)
    caption_dropout: float = Field(ge=0, lt=1)
    shift: float = Field(gt=0)
    """Timestep shift of the training sigmas; above 1 spends more steps where the layout is decided."""
    checkpoint_every: int = Field(gt=0)


class TransformerSettings(_Section):
    """The SD3Transformer2DModel."""

    seed: int
    layers: int = Field(gt=0)
    heads: int = Field(gt=0)
    head_dim: int = Field(gt=0)


class EvaluationSettings(_Section):
    """How the anomaly rates on the model card are measured."""

    prompts: list[str]
    seeds: int = Field(gt=0)
    null_base_seeds: int = Field(gt=0)
    """Of the null base: fewer, since no rate is to be told from another one."""
    first_seed: int
    steps: int = Field(gt=0)
    guidance_scale: float = Field(ge=0)


class PretrainingSettings(_Section):
    """All of `studies/pretraining/params.yaml`."""

    autoencoder: AutoencoderSettings
    text_encoders: TextEncoderSettings
    transformer: TransformerSettings
    right: PhaseSettings
    defect: PhaseSettings
    null_base: PhaseSettings
    evaluation: EvaluationSettings


def load_settings(path: Path = Path("studies/pretraining/params.yaml")) -> PretrainingSettings:
    """Read and validate the settings."""
    return PretrainingSettings.model_validate(yaml.safe_load(path.read_text()))


def write_metrics(name: str, metrics: dict[str, object], curve: list[dict] | None = None) -> None:
    """Write `metrics/<name>.json` and, where there is one, the curve `plots/<name>.csv`, in studies/pretraining."""
    root = Path("studies/pretraining")
    (root / "metrics").mkdir(parents=True, exist_ok=True)
    (root / "metrics" / f"{name}.json").write_text(json.dumps(metrics, indent=2) + "\n")
    if curve is not None:
        (root / "plots").mkdir(parents=True, exist_ok=True)
        pd.DataFrame(curve).to_csv(root / "plots" / f"{name}.csv", index=False)


def read_metrics(name: str) -> dict[str, Any]:
    """Read what `write_metrics` wrote."""
    metrics: dict[str, Any] = json.loads((Path("studies/pretraining/metrics") / f"{name}.json").read_text())
    return metrics
