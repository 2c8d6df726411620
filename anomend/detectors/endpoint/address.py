"""The name of an endpoint: where it is, what it speaks, and which model it serves."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from anomend.detectors.endpoint.forms import FORMS
from anomend.project.checkouts import found
from anomend.project.files import sha256_of

SHAPE = (
    "endpoint:URL#hadm, endpoint:URL#magicassessor?model=NAME or endpoint:URL#sdg?model=NAME, the last two with "
    "&instructions=FILE&sha256=DIGEST if the model needs other words than ours"
)
HERE = ("127.0.0.1", "localhost", "::1")
"""Hosts that are this machine."""


@dataclass(frozen=True, kw_only=True)
class Address:
    """An endpoint as the parameters name it."""

    url: str
    """Without its fragment, and without / at the end."""
    host: str
    form: str
    """One of `FORMS`."""
    model: str | None
    """Name under which an OpenAI-compatible server serves the model."""
    instructions: Path | None
    """File with the words that the model is sent."""

    @property
    def is_here(self) -> bool:
        """Whether pictures stay on this machine."""
        return self.host in HERE


def parsed(argument: str) -> Address:
    """Read `URL#FORM?model=NAME`.

    Raises:
        ValueError: it has another shape, holds a password, or its file of instructions is not the pinned one.
    """
    try:
        parts = urlsplit(argument)
        host = parts.hostname
        form, _, options = parts.fragment.partition("?")
        chosen = dict(parse_qsl(options, strict_parsing=True)) if options else {}
        port = "" if parts.port is None else f":{parts.port}"
    except ValueError:
        raise ValueError(f"endpoint:{argument} does not have the shape {SHAPE}") from None
    if parts.username or parts.password or parts.query:
        raise ValueError(
            f"the URL of the endpoint at {host}{port} holds more than an address, and every metric file would repeat "
            "it: put a key into ANOMEND_ENDPOINT_KEY"
        )
    extra = set(chosen) - {"model", "instructions", "sha256"}
    if parts.scheme not in ("http", "https") or not host or form not in FORMS or extra:
        raise ValueError(f"endpoint:{argument} does not have the shape {SHAPE}")
    if form == "hadm" and chosen:
        raise ValueError(f"endpoint:{argument}: the form hadm takes neither model nor instructions")
    if form != "hadm" and "model" not in chosen:
        raise ValueError(f"endpoint:{argument}: the form {form} needs the model's name, as in ?model=NAME")
    return Address(
        url=argument.partition("#")[0].rstrip("/"),
        host=host,
        form=form,
        model=chosen.get("model"),
        instructions=_pinned(chosen, argument),
    )


def _pinned(chosen: dict[str, str], argument: str) -> Path | None:
    """The file of instructions, if it is the pinned one."""
    named, digest = chosen.get("instructions"), chosen.get("sha256", "")
    if (named is None) != (not digest) or (digest and not re.fullmatch("[0-9a-f]{64}", digest)):
        raise ValueError(f"endpoint:{argument}: name instructions=FILE and its sha256=DIGEST together")
    if named is None:
        return None
    path = found(named)
    if not path.is_file():
        raise ValueError(f"{path}, the instructions of the endpoint, is missing: put it there")
    if (actual := sha256_of(path)) != digest:
        raise ValueError(f"{path} is not the pinned file: its SHA-256 is {actual}, and the detector says {digest}")
    return path
