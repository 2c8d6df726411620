"""Detectors that segment artifacts: SegFormer's classes in DiffDoctor's form, with small random weights."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from anomend.detectors.segformer import SHARE, largest_share
from anomend.detectors.table import check_detector, make_detector
from tests.detectors.settings import detector_params

SETTINGS = detector_params()


def save_segformer(folder: Path, bias: float, labels: int = 1, licence: str | None = "mit") -> str:
    """A model whose logits are its bias everywhere, or random around it; the detector's name."""
    import torch
    from transformers import SegformerConfig, SegformerForSemanticSegmentation, SegformerImageProcessor

    torch.manual_seed(0)
    config = SegformerConfig(
        num_labels=labels,
        num_encoder_blocks=4,
        depths=[1, 1, 1, 1],
        hidden_sizes=[8, 8, 8, 8],
        num_attention_heads=[1, 1, 1, 1],
        decoder_hidden_size=8,
        classifier_dropout_prob=0.0,
    )
    model = SegformerForSemanticSegmentation(config)
    with torch.no_grad():
        model.decode_head.classifier.weight.zero_()
        model.decode_head.classifier.bias.fill_(bias)
    model.save_pretrained(folder)
    SegformerImageProcessor(size={"height": 64, "width": 64}).save_pretrained(folder)
    if licence is not None:
        (folder / "README.md").write_text(f"---\nlicense: {licence}\n---\n# Artifacts\n")
    return f"segformer:{folder}@{hashlib.sha256((folder / 'model.safetensors').read_bytes()).hexdigest()}"


@pytest.mark.slow
def test_a_region_of_artifacts_is_an_anomaly_that_decides_nothing(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 256, (96, 80, 3), dtype=np.uint8)
    for bias, expected in ((4.0, ("artifact",)), (-4.0, ())):
        name = save_segformer(tmp_path / str(bias), bias)
        check_detector(name, SETTINGS, "anomalies")
        detector = make_detector(name, SETTINGS)
        assert detector.anomalies([image, image[:, ::-1]]) == [expected] * 2
        assert detector.kinds == ("artifact",) and "nobody has measured" in (detector.caution or "")
        assert detector.provenance()["detector_licence"] == "mit"
        assert detector.provenance()["detector_source"] == name.removeprefix("segformer:")


def test_the_largest_piece_in_one_piece_counts() -> None:
    probabilities = np.zeros((128, 128), np.float32)
    assert largest_share(probabilities) == 0
    probabilities[::2, ::2] = 0.9  # A quarter of all cells, none next to another.
    assert largest_share(probabilities) == 1 / 128**2 < SHARE
    probabilities[:] = 0.49
    probabilities[10:14, 10:14] = probabilities[40:43, 40:43] = 0.5
    assert largest_share(probabilities) == 16 / 128**2
    # 16 of 16,384 cells are just below a thousandth, 17 above it.
    probabilities[14, 10] = 0.5
    assert 16 / 128**2 < SHARE < largest_share(probabilities)


@pytest.mark.slow
def test_a_model_that_cannot_be_used_is_refused_before_it_is_loaded(tmp_path: Path) -> None:
    good = save_segformer(tmp_path / "good", 0.0)
    for name, sentence in (
        (f"segformer:{tmp_path}", "does not have the shape segformer:FOLDER@SHA256"),
        (f"segformer:owner/model@{'0' * 40}", "does not have the shape"),
        (f"segformer:{tmp_path / 'nowhere'}@{'0' * 64}", r"does not have a model\.safetensors"),
        (good[:-1] + ("0" if good[-1] != "0" else "1"), r"is not the pinned file: its SHA-256 is [0-9a-f]{64}"),
        (save_segformer(tmp_path / "two", 0.0, labels=2), "a segformer with 2 labels: it must be a segformer with one"),
        (save_segformer(tmp_path / "unnamed", 0.0, licence=None), "names no licence"),
    ):
        with pytest.raises(ValueError, match=sentence):
            check_detector(name, SETTINGS, "anomalies")
    with pytest.raises(ValueError, match="cannot locate parts"):
        check_detector(good, SETTINGS, "parts")
    config = tmp_path / "good" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"model_type": "detr"}))
    with pytest.raises(ValueError, match="describes a detr with 1 labels"):
        check_detector(good, SETTINGS, "anomalies")
