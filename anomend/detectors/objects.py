"""Detector `objects:MODEL@PIN`: a transformers object-detection model that was taught anomalies, such as `extra arm`.

MODEL is a local folder, and PIN the SHA-256 of its model.safetensors; or a repository on the hub, and PIN its commit.
Labels that begin with a fault (`FAULTS`) are anomalies, named by the label in lower case with _ for all else
(`extra_arm`); others, such as `person`, are not. A box counts from a score of .5.

No such model comes with the project. Its card (README.md) must name a licence (`license:` in its front matter), which
every metric file repeats. How far its boxes can be trusted, the model's evaluation must say: a wrong arm that is
not found counts as right here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anomend.detectors.detector import Detector, Use
from anomend.detectors.local_models import licence_of, refuse_other_weights
from anomend.detectors.observation import Image, Observation
from anomend.params.detectors import DetectorParams
from anomend.project.checkouts import found
from anomend.project.devices import resolve_device
from anomend.project.hub_models import hub_folder, whole_model

if TYPE_CHECKING:
    import torch

FAULTS = (
    "missing", "extra", "detached", "distorted", "deformed", "malformed", "fused", "duplicate", "duplicated", "broken",
    "floating", "wrong", "abnormal", "artifact",
)  # fmt: skip
"""First words of the labels that are anomalies."""
SCORE = 0.5
"""Least score of a box."""
FORM = "objects:MODEL@PIN"
USES: frozenset[Use] = frozenset({"anomalies"})
SHAPE = (
    "objects:MODEL@PIN, with a local folder and the SHA-256 of its model.safetensors, or a hub repository and commit"
)
OTHERWISE = "name a local folder, or set the detector to none"


def parsed(argument: str) -> tuple[str, str]:
    """Model and pin.

    Raises:
        ValueError: the argument has another shape.
    """
    model, _, pin = argument.rpartition("@")
    if not model or not re.fullmatch("[0-9a-f]{40}|[0-9a-f]{64}", pin):
        raise ValueError(f"objects:{argument} does not have the shape {SHAPE}")
    return model, pin


def check(argument: str, settings: DetectorParams) -> None:
    """Check what does not need the model or the network.

    Raises:
        ValueError: the argument has another shape, or a local folder is not such a model, has other weights, has no
            label that names an anomaly, or has no licence.
    """
    model, pin = parsed(argument)
    folder = found(model)
    if folder.is_dir() or len(pin) == 64:
        refuse_other_weights(folder, pin, shape=SHAPE)
        _labels(folder)
        licence_of(folder)


def make(argument: str, settings: DetectorParams, device: str = "auto") -> Detector:
    """The detector, its model loaded, on a GPU where the device is one.

    Raises:
        ValueError: see `check`.
        FileNotFoundError: not in the cache, and the hub cannot be reached.
    """
    check(argument, settings)
    model, pin = parsed(argument)
    folder = hub_folder(model, pin, "preprocessor_config.json", "README.md", otherwise=OTHERWISE)
    names = {label: re.sub(r"\W+", "_", words.lower()) for label, words in _labels(folder).items()}
    place = resolve_device(device)
    detect = load_detect(folder, names, place)
    return Detector(
        name=f"objects:{argument}",
        detect=lambda image: detect([image])[0],
        # A CPU is no faster with several.
        detect_together=None if place.type == "cpu" else detect,
        kinds=tuple(dict.fromkeys(names.values())),
        source=f"{model}@{pin}",
        licence=licence_of(folder),
    )


def load_detect(
    folder: Path, names: Mapping[int, str], place: torch.device
) -> Callable[[Sequence[Image]], list[Observation]]:
    """What a model sees in images of one size.

    Args:
        folder: of the model.
        names: label to kind of anomaly.
        place: the device that it runs on.

    Raises:
        ValueError: the weights do not fit the model.
    """
    # Imported at first use: these take seconds.
    import torch
    from transformers import AutoImageProcessor, AutoModelForObjectDetection

    network = whole_model(AutoModelForObjectDetection, folder).to(place)
    # The processor by Pillow needs no torchvision, and scales alike on every machine.
    processor: Any = AutoImageProcessor.from_pretrained(folder, backend="pil")

    @torch.no_grad()
    def detect(images: Sequence[Image]) -> list[Observation]:
        outputs = network(**processor(images=list(images), return_tensors="pt").to(place))
        sizes = [image.shape[:2] for image in images]
        seen = processor.post_process_object_detection(outputs, threshold=SCORE, target_sizes=sizes)
        shown = [{names[label] for label in boxes["labels"].tolist() if label in names} for boxes in seen]
        kinds = list(dict.fromkeys(names.values()))
        return [Observation(anomalies=tuple(kind for kind in kinds if kind in each)) for each in shown]

    return detect


def _labels(folder: Path) -> dict[int, str]:
    """The labels that are anomalies, by number."""
    config = folder / "config.json"
    if not config.is_file():
        raise ValueError(f"{folder} does not hold a transformers model: config.json is missing")
    labels = {int(number): str(words) for number, words in json.loads(config.read_text()).get("id2label", {}).items()}
    anomalies = {number: words for number, words in labels.items() if re.split(r"\W|_", words.lower())[0] in FAULTS}
    if not anomalies:
        shown = ", ".join(list(labels.values())[:3]) or "none"
        raise ValueError(
            f"no label of {folder} names an anomaly ({shown}): one begins with a word such as {', '.join(FAULTS[:4])}"
        )
    return anomalies
