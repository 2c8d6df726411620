"""Parameters of detectors for tests."""

from __future__ import annotations

from pathlib import Path

from anomend.params.detectors import DetectorParams, EndpointParams, PhotographParams, RtDetrParams
from anomend.params.types import RequestParams

REVISION = "0" * 40


def detector_params(
    networks: Path | str = "models/photographs",
    *,
    person: Path | str = "person",
    pose: Path | str = "pose",
    remote: bool = False,
    timeout_s: float = 30.0,
) -> DetectorParams:
    """The folder of MediaPipe's networks, the folders or repositories of RT-DETR and ViTPose, and how endpoints are
    asked: without waiting, three times at most."""
    return DetectorParams(
        photographs=PhotographParams(networks=str(networks)),
        rtdetr=RtDetrParams(
            person_model=str(person), person_revision=REVISION, pose_model=str(pose), pose_revision=REVISION
        ),
        endpoint=EndpointParams(
            remote=remote, requests=RequestParams(concurrency=2, timeout_s=timeout_s, attempts=3, first_wait_s=0.0)
        ),
    )
