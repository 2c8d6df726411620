"""RT-DETR and ViTPose by transformers' classes, from tiny local folders whose weights are set so that the answer is
known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import (
    RTDetrConfig,
    RTDetrForObjectDetection,
    RTDetrResNetConfig,
    VitPoseConfig,
    VitPoseForPoseEstimation,
)
from transformers.models.rt_detr.image_processing_pil_rt_detr import RTDetrImageProcessorPil
from transformers.models.vitpose.image_processing_pil_vitpose import VitPoseImageProcessorPil

from anomend.detectors.observation import bounds
from anomend.detectors.table import make_detector
from anomend.params.detectors import DetectorParams
from tests.collecting.pictures import drawing
from tests.detectors.settings import detector_params

pytestmark = pytest.mark.slow

QUERIES = 3
IMAGE = np.concatenate([drawing(0), drawing(1)], axis=1)
"""64 x 128 pixels."""


def save_rtdetr(
    folder: Path, logits: tuple[float, float] = (9.0, -9.0), names: tuple[str, str] = ("person", "car")
) -> None:
    """A detector of QUERIES boxes, every one of which gets these logits for its two classes."""
    torch.manual_seed(0)
    backbone = RTDetrResNetConfig(
        embedding_size=8,
        hidden_sizes=[8, 8, 8, 8],
        depths=[1, 1, 1, 1],
        layer_type="basic",
        out_features=["stage2", "stage3", "stage4"],
    )
    config = RTDetrConfig(
        backbone_config=backbone,
        encoder_hidden_dim=16,
        encoder_in_channels=[8, 8, 8],
        encoder_ffn_dim=16,
        encoder_attention_heads=2,
        d_model=16,
        decoder_in_channels=[16, 16, 16],
        num_queries=QUERIES,
        decoder_ffn_dim=16,
        decoder_layers=1,
        decoder_attention_heads=2,
        num_denoising=0,
        id2label=dict(enumerate(names)),
        label2id={name: number for number, name in enumerate(names)},
    )
    model = RTDetrForObjectDetection(config)
    head = model.model.decoder.class_embed[0]
    torch.nn.init.zeros_(head.weight)
    head.bias.data = torch.tensor(logits)
    place = model.model.decoder.bbox_embed[0].layers[-1]
    torch.nn.init.zeros_(place.weight)
    # Wider and higher than the tiny boxes that random weights propose.
    place.bias.data = torch.tensor([0.0, 0.0, 2.0, 2.0])
    model.save_pretrained(folder)
    RTDetrImageProcessorPil(size={"height": 64, "width": 64}).save_pretrained(folder)


def save_vitpose(folder: Path) -> VitPoseForPoseEstimation:
    torch.manual_seed(0)
    backbone = {"image_size": [64, 48], "patch_size": [16, 16], "hidden_size": 16, "num_hidden_layers": 2}
    config = VitPoseConfig(
        backbone_config={"model_type": "vitpose_backbone", "num_attention_heads": 2, "out_indices": [2], **backbone},
        num_labels=17,
    )
    model = VitPoseForPoseEstimation(config).eval()
    model.save_pretrained(folder)
    VitPoseImageProcessorPil(size={"height": 64, "width": 48}).save_pretrained(folder)
    return model


@pytest.fixture
def settings(tmp_path: Path) -> DetectorParams:
    save_rtdetr(tmp_path / "person")
    save_vitpose(tmp_path / "pose")
    return detector_params(person=tmp_path / "person", pose=tmp_path / "pose")


def test_every_box_of_a_person_is_counted_and_the_largest_is_the_region(settings: DetectorParams) -> None:
    seen = make_detector("photographs_rtdetr", settings).detect(IMAGE)
    assert seen.persons == QUERIES
    model = RTDetrForObjectDetection.from_pretrained(settings.rtdetr.person_model).eval()
    pixels = np.asarray(RTDetrImageProcessorPil.from_pretrained(settings.rtdetr.person_model)(IMAGE)["pixel_values"])
    with torch.no_grad():
        boxes = model(torch.tensor(pixels)).pred_boxes[0].numpy()
    x, y, width, height = (boxes * [128, 64, 128, 64]).T
    corners = np.stack([x - width / 2, y - height / 2, x + width / 2, y + height / 2], axis=1)
    corners = np.clip(corners, 0, [128, 64, 128, 64])
    sizes = np.prod(corners[:, 2:] - corners[:, :2], axis=1)
    assert seen.region is not None and seen.region.shape == (64, 128)
    # Boxes of random weights are of one size, up to rounding.
    largest = corners[np.isclose(sizes, sizes.max(), rtol=1e-3)]
    assert np.abs(np.array(bounds(seen.region)) - largest).max(axis=1).min() <= 1


def test_confidence_is_that_of_the_key_points_inside_the_picture(settings: DetectorParams) -> None:
    seen = make_detector("photographs_rtdetr", settings).detect(IMAGE)
    assert seen.anatomy is not None and 0 <= seen.anatomy <= 1
    assert seen.body is not None and 0 <= seen.body <= 1
    assert seen.hands is None or 0 <= seen.hands <= 1


def test_boxes_of_anything_else_are_not_people(settings: DetectorParams) -> None:
    for logits in ((-9.0, 9.0), (-9.0, -9.0)):
        save_rtdetr(Path(settings.rtdetr.person_model), logits)
        seen = make_detector("photographs_rtdetr", settings).detect(IMAGE)
        assert seen.persons == 0 and seen.region is None


def test_a_model_without_a_class_person_is_refused(settings: DetectorParams) -> None:
    save_rtdetr(Path(settings.rtdetr.person_model), names=("cat", "car"))
    with pytest.raises(ValueError, match="has no class `person`"):
        make_detector("photographs_rtdetr", settings)


def test_weights_that_do_not_fit_are_refused(settings: DetectorParams) -> None:
    config = VitPoseConfig.from_pretrained(settings.rtdetr.pose_model)
    config.backbone_config.num_hidden_layers = 3
    config.save_pretrained(settings.rtdetr.pose_model)
    with pytest.raises(ValueError, match="do not fit VitPoseForPoseEstimation"):
        make_detector("photographs_rtdetr", settings)


def test_without_the_hub_the_sentence_names_both_ways_out(settings: DetectorParams) -> None:
    absent = detector_params(person="nobody-here/no-such-model", pose=settings.rtdetr.pose_model)
    with pytest.raises(FileNotFoundError) as refused:
        make_detector("photographs_rtdetr", absent)
    assert "the detector to photographs" in str(refused.value) and "local folder" in str(refused.value)
