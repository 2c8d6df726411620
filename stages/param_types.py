"""What the sections of parameters are made of."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Prompt = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Rate = Annotated[float, Field(ge=0, le=1)]
AnatomyDetector = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*(:\S+)?$")]
"""A detector of `stages.measures.anatomy`, by its name there, or none; `resolve` holds it against what is known."""
Seed = Annotated[int, Field(ge=0, lt=2**31)]


class Section(BaseModel):
    """A section refuses keys that it does not know, so that a misspelt parameter cannot pass unseen."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class RequestParams(Section):
    """How a paid API is asked."""

    concurrency: int = Field(ge=1, le=64, description="Requests in flight at once.")
    timeout_s: float = Field(gt=0, le=3600, description="Seconds that an answer may take.")
    attempts: int = Field(ge=1, le=20, description="Times that a request is put while failures may pass.")
    first_wait_s: float = Field(
        ge=0, le=60, description="Seconds before the second attempt, doubled each time; a server may ask for more."
    )
