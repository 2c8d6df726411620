"""Detector `photographs_rtdetr`: RT-DETR finds people (Zhao et al. 2023), ViTPose their key points (Xu et al. 2022).

Both by transformers' classes, from the hub at a pinned revision (Apache-2.0) or from a local folder. Larger and better
than the offline networks; a person's pixels are those of the box, and a hand is as clear as its wrist.

It names no anomalies: its scores are not probabilities, and were not tried on real weights here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from anomend.detectors.criteria import PHOTOGRAPHS
from anomend.detectors.detector import Detector, Use
from anomend.detectors.observation import Image, Observation
from anomend.params.detectors import DetectorParams, RtDetrParams
from anomend.project.devices import resolve_device
from anomend.project.hub_models import hub_folder, whole_model

if TYPE_CHECKING:
    from transformers import VitPoseForPoseEstimation
    from transformers.models.vitpose.image_processing_pil_vitpose import VitPoseImageProcessorPil

FORM = "photographs_rtdetr"
USES: frozenset[Use] = frozenset({"curation"})

SCORE = 0.5
"""Least score of a person."""
WRISTS = (9, 10)
"""Among COCO's 17 key points."""
JOINTS = slice(5, 17)
"""Shoulders, elbows, wrists, hips, knees, ankles among them."""
SEEN = 0.3
"""Least score of a joint that can be seen: ViTPose's own threshold for drawing one."""
OTHERWISE = "set the detector to photographs, which needs no hub, or the model's parameter to a local folder"


def check(argument: str, settings: DetectorParams) -> None:
    """Nothing can be checked without going online."""


def make(argument: str, settings: DetectorParams, device: str = "auto") -> Detector:
    """The detector, its networks loaded, on a GPU where the device is one.

    Raises:
        FileNotFoundError: a model is neither in the cache nor on a hub that can be reached.
        ValueError: a model's weights do not fit, or it has no class `person`.
    """
    return Detector(
        name=FORM,
        detect=load_detect(settings.rtdetr, device),
        # A box covers more than its person.
        criteria=replace(PHOTOGRAPHS, min_area=0.2, min_hands=0.3),
        source=f"{settings.rtdetr.person_model}@{settings.rtdetr.person_revision}, "
        f"{settings.rtdetr.pose_model}@{settings.rtdetr.pose_revision}",
        licence="Apache-2.0",
    )


def load_detect(models: RtDetrParams, device: str = "auto") -> Callable[[Image], Observation]:
    """What is seen in an image, by the two models; see `make` for what is raised."""
    # Imported at first use: these take seconds.
    import torch
    from transformers import RTDetrForObjectDetection, VitPoseForPoseEstimation
    from transformers.models.rt_detr.image_processing_pil_rt_detr import RTDetrImageProcessorPil
    from transformers.models.vitpose.image_processing_pil_vitpose import VitPoseImageProcessorPil

    place = resolve_device(device)
    folders = [
        hub_folder(model, revision, "preprocessor_config.json", otherwise=OTHERWISE)
        for model, revision in (
            (models.person_model, models.person_revision),
            (models.pose_model, models.pose_revision),
        )
    ]
    network = whole_model(RTDetrForObjectDetection, folders[0]).to(place)
    estimator = whole_model(VitPoseForPoseEstimation, folders[1]).to(place)
    scaling = RTDetrImageProcessorPil.from_pretrained(folders[0])
    cropping = VitPoseImageProcessorPil.from_pretrained(folders[1])
    labels = [number for number, name in network.config.id2label.items() if name == "person"]
    if not labels:
        raise ValueError(f"{models.person_model} has no class `person`: choose a detector trained on COCO")

    @torch.no_grad()
    def detect(image: Image) -> Observation:
        height, width = image.shape[:2]
        outputs = network(**scaling(images=image, return_tensors="pt").to(place))
        objects = scaling.post_process_object_detection(outputs, threshold=SCORE, target_sizes=[(height, width)])[0]
        boxes = objects["boxes"][objects["labels"] == labels[0]].cpu().numpy().astype(np.float64)
        boxes = np.clip(boxes, 0, [width, height, width, height])
        sizes = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
        if not len(boxes) or sizes.max() < 1:
            return Observation(persons=0)
        box = boxes[sizes.argmax()]
        points, scores = _key_points(estimator=estimator, cropping=cropping, image=image, box=box)
        inside = np.all((points >= 0) & (points < [width, height]), axis=1)
        hands = [float(scores[wrist]) for wrist in WRISTS if inside[wrist]]
        return Observation(
            persons=len(boxes),
            region=_box_pixels(box, height, width),
            body=float((inside & (scores >= SEEN))[JOINTS].mean()),
            anatomy=float(np.clip(scores[inside].mean(), 0, 1)) if inside.any() else 0.0,
            hands=min(max(hands), 1.0) if hands else None,
        )

    return detect


def _key_points(
    *, estimator: VitPoseForPoseEstimation, cropping: VitPoseImageProcessorPil, image: Image, box: NDArray
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Key points of the person in a box, (K, 2) in the image's pixels, and their scores, (K,)."""
    left, top, right, bottom = box.tolist()
    boxes = [[[left, top, right - left, bottom - top]]]
    outputs = estimator(**cropping(image, boxes=boxes, return_tensors="pt").to(estimator.device))
    posed = cropping.post_process_pose_estimation(outputs, boxes=boxes)[0][0]
    return posed["keypoints"].cpu().numpy().astype(np.float64), posed["scores"].cpu().numpy().astype(np.float64)


def _box_pixels(box: NDArray, height: int, width: int) -> NDArray[np.bool_]:
    left, top = np.floor(box[:2]).astype(int)
    right, bottom = np.ceil(box[2:]).astype(int)
    region = np.zeros((height, width), dtype=bool)
    region[top:bottom, left:right] = True
    return region
