"""Detectors of photographs' anatomy: what is refused, what MediaPipe's networks tell, and a model of labelled boxes."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from anomend.detectors import photographs
from anomend.detectors.anatomy import DETECTORS, assess, check_detector, find_detector
from anomend.detectors.observation import Observation
from tests.conftest import ROOT
from tests.curating import photographs as made
from tests.curating.photographs import needs_networks, needs_paper, published

PERSON = np.ones((4, 4), dtype=bool)


def seen(persons: int, anatomy: float | None = 0.9, hands: float | None = 0.9) -> Observation:
    return Observation(persons, PERSON if anatomy is not None else None, anatomy, hands)


@pytest.mark.parametrize(
    ("observation", "kinds"),
    [
        (seen(1), ()),
        (seen(0, None, None), ("missing_person",)),
        (seen(3), ("extra_person",)),
        (seen(1, 0.49), ("unclear_body",)),
        (seen(1, None, None), ("unclear_body",)),  # a face without a body
        (seen(1, hands=0.49), ("unclear_hands",)),
        (seen(1, 0.5, 0.5), ()),
        (seen(1, hands=None), ()),  # no wrist to be seen, so no hand is expected
        (seen(2, 0.1, 0.1), ("extra_person", "unclear_body", "unclear_hands")),
    ],
)
def test_what_is_seen_is_named(observation: Observation, kinds: tuple[str, ...]) -> None:
    assert photographs.anomalies_of(observation) == kinds
    assert set(kinds) <= set(DETECTORS["photographs"].kinds)


def test_it_says_that_it_is_no_proof_and_whose_it_is() -> None:
    said = DETECTORS["photographs"].provenance()
    assert "not whether these are right" in said["detector_caution"] and said["detector_licence"] == "Apache-2.0"
    assert DETECTORS["figures"].provenance() == {}


def test_importing_the_registry_loads_no_network_library() -> None:
    code = (
        "import sys, anomend.detectors.anatomy;"
        "print([name for name in ('torch', 'transformers', 'ai_edge_litert') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_missing_and_foreign_networks_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="make photograph-models") as refused:
        photographs.refuse_missing_networks(tmp_path / "models" / "photographs")
    assert "models/photographs" in str(refused.value) and "\n" not in str(refused.value)
    (tmp_path / "pose_detection.tflite").write_bytes(b"another network")
    with pytest.raises(ValueError, match="is not the published file"):
        photographs.refuse_missing_networks(tmp_path)


@pytest.mark.parametrize("name", ["eyes", "figures:64", "objects:", "Objects:a@b"])
def test_unknown_detectors_are_named(name: str) -> None:
    for call in (find_detector, check_detector):
        with pytest.raises(ValueError, match=r"choose one of figures, photographs, objects|has not the shape"):
            call(name)


@needs_networks
@needs_paper
@pytest.mark.slow
def test_pictures_that_were_made_wrong() -> None:
    check_detector("photographs")
    first, second = published()[:2]
    small = [one[::2, ::2] for one in (first, made.nobody(first), made.side_by_side(first, second))]
    right, nobody, two = assess(small, "photographs")
    assert right == () and nobody == ("missing_person",) and "extra_person" in two


# A model of labelled boxes: RT-DETR's classes with random weights, whose every box gets the class that is wanted.


def model(folder: Path, logits: tuple[float, float], names: tuple[str, str], licence: str | None = "mit") -> str:
    from tests.curating.test_rtdetr import save_rtdetr

    save_rtdetr(folder, logits, names)
    if licence is not None:
        (folder / "README.md").write_text(f"---\nlicense: {licence}\n---\n# Detector\n")
    return f"objects:{folder}@{hashlib.sha256((folder / 'model.safetensors').read_bytes()).hexdigest()}"


NAMES = ("extra arm", "person")


@pytest.mark.slow
def test_labels_that_begin_with_a_fault_are_anomalies(tmp_path: Path) -> None:
    from tests.curating.test_rtdetr import IMAGE

    for logits, expected in (((9.0, -9.0), ("extra_arm",)), ((-9.0, 9.0), ()), ((-9.0, -9.0), ())):
        name = model(tmp_path / str(logits[0] - logits[1]), logits, NAMES)
        check_detector(name)
        assert find_detector(name).kinds == ("extra_arm",)
        assert assess([IMAGE, IMAGE[:, ::-1]], name) == [expected] * 2


@pytest.mark.slow
def test_two_labels_of_one_name_are_one_kind_in_the_models_order(tmp_path: Path) -> None:
    name = model(tmp_path, (9.0, 9.0), ("Missing-leg", "extra arm"))
    assert find_detector(name).kinds == ("missing_leg", "extra_arm")
    said = find_detector(name).provenance()
    assert said == {"detector_source": name.removeprefix("objects:"), "detector_licence": "mit"}


@pytest.mark.slow
def test_a_model_that_cannot_be_used_is_refused_before_it_is_loaded(tmp_path: Path) -> None:
    good = model(tmp_path, (9.0, -9.0), NAMES)
    with pytest.raises(ValueError, match=r"is not the pinned file: its SHA-256 is [0-9a-f]{64}"):
        check_detector(good[:-1] + ("0" if good[-1] != "0" else "1"))
    with pytest.raises(ValueError, match="has not the shape"):
        check_detector(f"objects:{tmp_path}")
    with pytest.raises(ValueError, match=r"names an anomaly \(cat, person\)"):
        check_detector(model(tmp_path / "cats", (0.0, 0.0), ("cat", "person")))
    with pytest.raises(ValueError, match="names no licence"):
        check_detector(model(tmp_path / "unnamed", (0.0, 0.0), NAMES, licence=None))
    with pytest.raises(ValueError, match=r"holds no model\.safetensors"):
        check_detector(f"objects:{tmp_path / 'nowhere'}@{'0' * 64}")


@pytest.mark.slow
def test_a_hub_model_that_cannot_be_had_names_the_way_out() -> None:
    name = f"objects:nobody-here/no-such-model@{'0' * 40}"
    check_detector(name)
    with pytest.raises(FileNotFoundError, match="set the detector to none"):
        assess([np.zeros((64, 64, 3), np.uint8)], name)
