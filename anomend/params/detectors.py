"""Parameters of detectors: the models that they load."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from anomend.params.types import RUN_SETTING, RequestParams, Section

Revision = Annotated[str, StringConstraints(pattern="^[0-9a-f]{40}$")]


class PhotographParams(Section):
    """Detector `photographs`: networks that run offline (`make photograph-models`)."""

    networks: str = Field(
        json_schema_extra=RUN_SETTING, min_length=1, description="Folder of the networks, which are checked by digest."
    )


class RtDetrParams(Section):
    """Detector `photographs_rtdetr`: RT-DETR and ViTPose, from the hub or from local folders."""

    person_model: str = Field(min_length=1, description="RT-DETR: repository on the hub, or a local folder.")
    person_revision: Revision = Field(description="Its commit on the hub.")
    pose_model: str = Field(min_length=1, description="ViTPose: repository on the hub, or a local folder.")
    pose_revision: Revision = Field(description="Its commit on the hub.")


class EndpointParams(Section):
    """Detectors `endpoint:URL#FORM`: how a server is asked about pictures (docs/anatomy_detectors.md)."""

    remote: bool = Field(
        json_schema_extra=RUN_SETTING,
        description="Whether pictures may be sent to an endpoint that is not on this machine.",
    )
    requests: RequestParams


class DetectorParams(Section):
    """The models that detectors load, in every stage that runs one."""

    photographs: PhotographParams
    rtdetr: RtDetrParams
    endpoint: EndpointParams
