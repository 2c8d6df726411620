"""Parameters of detectors for tests."""

from __future__ import annotations

from pathlib import Path

from anomend.params.detectors import DetectorParams, PhotographParams, RtDetrParams

REVISION = "0" * 40


def detector_params(
    networks: Path | str = "models/photographs", *, person: Path | str = "person", pose: Path | str = "pose"
) -> DetectorParams:
    """The folder of MediaPipe's networks, and the folders or repositories of RT-DETR and ViTPose."""
    return DetectorParams(
        photographs=PhotographParams(networks=str(networks)),
        rtdetr=RtDetrParams(
            person_model=str(person), person_revision=REVISION, pose_model=str(pose), pose_revision=REVISION
        ),
    )
