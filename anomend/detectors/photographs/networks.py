"""The networks' files: where they come from, whether they are the published ones, and how one is run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from anomend.project.files import sha256_of

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class NetworkFile:
    """A network in MediaPipe's wheel."""

    path: str
    sha256: str


WHEEL = "mediapipe==0.10.21"
FILES = {
    "people": NetworkFile(
        "mediapipe/modules/pose_detection/pose_detection.tflite",
        "9ba9dd3d42efaaba86b4ff0122b06f29c4122e756b329d89dca1e297fd8f866c",
    ),
    "pose": NetworkFile(
        "mediapipe/modules/pose_landmark/pose_landmark_full.tflite",
        "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f",
    ),
    "faces": NetworkFile(
        "mediapipe/modules/face_detection/face_detection_full_range_sparse.tflite",
        "2c3728e6da56f21e21a320433396fb06d40d9088f2247c05e5635a688d45dfe1",
    ),
    "palms": NetworkFile(
        "mediapipe/modules/palm_detection/palm_detection_full.tflite",
        "1b14e9422c6ad006cde6581a46c8b90dd573c07ab7f3934b5589e7cea3f89a54",
    ),
}
"""What the detector runs, by the name used here."""


class Network:
    """A loaded network: one image in, its outputs in the file's order."""

    def __init__(self, path: Path) -> None:
        # One thread: sums in one order, so that results repeat.
        self._interpreter = Interpreter(str(path), num_threads=1)
        self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._outputs = [output["index"] for output in self._interpreter.get_output_details()]

    def __call__(self, image: Floats) -> list[Floats]:
        """Run on an array (side, side, 3)."""
        self._interpreter.set_tensor(self._input, image[None].astype(np.float32))
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(output)[0] for output in self._outputs]


def missing_networks(folder: Path) -> list[str]:
    """Names of the networks whose file is not in a folder.

    Raises:
        ValueError: a file is not the published one.
    """
    missing = []
    for name, network in FILES.items():
        path = folder / Path(network.path).name
        if not path.is_file():
            missing.append(name)
        elif sha256_of(path) != network.sha256:
            raise ValueError(f"{path} is not the published file: delete it and run `make photograph-models` again")
    return missing


def load_networks(folder: Path) -> dict[str, Network]:
    """All networks, each checked against its digest.

    Raises:
        FileNotFoundError: one is missing.
        ValueError: a file is not the published one.
    """
    if missing_networks(folder):
        raise FileNotFoundError(
            f"the networks of the detector photographs are not in {folder}: run `make photograph-models` once online, "
            "set detectors.photographs.networks to their folder, or choose another detector"
        )
    return {name: Network(folder / Path(network.path).name) for name, network in FILES.items()}
