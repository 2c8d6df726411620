"""Detector `segformer:FOLDER@SHA256`: a transformers SegFormer that gives each pixel a probability to be an artifact.

This is the form of DiffDoctor's artifact detector (Wang et al. 2025; github.com/ali-vilab/DiffDoctor):
SegformerForSemanticSegmentation with one label, whose logit is that of the probability. FOLDER holds config.json,
model.safetensors, preprocessor_config.json and README.md with a licence; SHA256 is that of the weights. No such model
comes with the project.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from anomend.detectors.detector import Detector, Use
from anomend.detectors.local_models import licence_of, refuse_other_weights
from anomend.detectors.observation import Image, Observation
from anomend.params.detectors import DetectorParams
from anomend.project.checkouts import found
from anomend.project.devices import resolve_device
from anomend.project.hub_models import whole_model

if TYPE_CHECKING:
    import torch

FORM = "segformer:FOLDER@SHA256"
USES: frozenset[Use] = frozenset({"anomalies"})
SHAPE = "segformer:FOLDER@SHA256, with a local folder and the SHA-256 of its model.safetensors"
KIND = "artifact"
PROBABILITY = 0.5
"""Least probability of a pixel that belongs to an artifact."""
SHARE = 0.001
"""Least share of the picture, in one piece, that is an artifact: 17 of the 128 x 128 cells that the model gives for 512
pixels; the hand of a person who fills the picture has some 50."""
CAUTION = "marks artifacts by a model whose errors on these pictures nobody has measured"


def parsed(argument: str) -> tuple[str, str]:
    """Folder and SHA-256.

    Raises:
        ValueError: the argument has another shape.
    """
    folder, _, pin = argument.rpartition("@")
    if not folder or not re.fullmatch("[0-9a-f]{64}", pin):
        raise ValueError(f"segformer:{argument} does not have the shape {SHAPE}")
    return folder, pin


def check(argument: str, settings: DetectorParams) -> None:
    """Check what does not need the model.

    Raises:
        ValueError: the argument has another shape, or the folder is not such a model, has other weights, or no licence.
    """
    named, pin = parsed(argument)
    folder = found(named)
    refuse_other_weights(folder, pin, shape=SHAPE)
    _refuse_another_model(folder)
    licence_of(folder)


def make(argument: str, settings: DetectorParams, device: str = "auto") -> Detector:
    """The detector, its model loaded, on a GPU where the device is one.

    Raises:
        ValueError: see `check`, or the weights do not fit the model.
    """
    check(argument, settings)
    named, _ = parsed(argument)
    folder, place = found(named), resolve_device(device)
    detect = load_detect(folder, place)
    return Detector(
        name=f"segformer:{argument}",
        detect=lambda image: detect([image])[0],
        detect_together=None if place.type == "cpu" else detect,
        kinds=(KIND,),
        caution=CAUTION,
        source=argument,
        licence=licence_of(folder),
    )


def load_detect(folder: Path, place: torch.device) -> Callable[[Sequence[Image]], list[Observation]]:
    """What a model sees in images of one size.

    Args:
        folder: of the model.
        place: the device that it runs on.

    Raises:
        ValueError: the weights do not fit the model.
    """
    # Imported at first use: these take seconds.
    import torch
    from transformers import AutoImageProcessor, SegformerForSemanticSegmentation

    network = whole_model(SegformerForSemanticSegmentation, folder).to(place)
    # The processor by Pillow needs no torchvision, and scales alike on every machine.
    processor: Any = AutoImageProcessor.from_pretrained(folder, backend="pil")

    @torch.no_grad()
    def detect(images: Sequence[Image]) -> list[Observation]:
        logits = network(**processor(images=list(images), return_tensors="pt").to(place)).logits
        maps = logits.sigmoid()[:, 0].float().cpu().numpy()
        return [Observation(anomalies=(KIND,) if largest_share(each) >= SHARE else ()) for each in maps]

    return detect


def largest_share(probabilities: NDArray[np.float32]) -> float:
    """The share of the picture in the largest piece, connected by edges, of probabilities (h, w) of `PROBABILITY` or
    more; 0 to 1."""
    from scipy.ndimage import label

    pieces, count = label(probabilities >= PROBABILITY)
    return float(np.bincount(pieces.ravel())[1:].max() / pieces.size) if count else 0.0


def _refuse_another_model(folder: Path) -> None:
    config = folder / "config.json"
    if not config.is_file() or not (folder / "preprocessor_config.json").is_file():
        raise ValueError(
            f"{folder} does not hold a transformers model: it needs config.json and preprocessor_config.json"
        )
    said = json.loads(config.read_text(encoding="utf-8"))
    labels = len(said.get("id2label", {"0": "", "1": ""}))
    if said.get("model_type") != "segformer" or labels != 1:
        raise ValueError(
            f"{config} describes a {said.get('model_type')} with {labels} labels: it must be a segformer with one, "
            "which is the artifact"
        )
