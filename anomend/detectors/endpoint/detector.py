"""Detector `endpoint:URL#FORM`: asks a server about each picture, once; the answers are kept."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from PIL import Image as Pillow
from tqdm import tqdm

from anomend.detectors.detector import Detector, Use
from anomend.detectors.endpoint.address import Address, parsed
from anomend.detectors.endpoint.client import KEY_VARIABLE, EndpointClient
from anomend.detectors.endpoint.form import UNREADABLE, Form
from anomend.detectors.endpoint.forms import FORMS
from anomend.detectors.observation import Image, Observation
from anomend.params.detectors import DetectorParams, EndpointParams
from anomend.project.files import sha256_of
from anomend.purchasing.budget import Budget
from anomend.purchasing.environment import paid_store
from anomend.purchasing.failures import TransientRequestError
from anomend.purchasing.purchase import Counts, Patience, Purchase
from anomend.purchasing.requests import Outcome, PaidRequest
from anomend.purchasing.store import RequestStore

FORM = "endpoint:URL#FORM"
USES: frozenset[Use] = frozenset({"anomalies"})
CAUTION = "asks a model whose errors on these pictures nobody has measured"
FOLDER = "endpoints"
"""Of the answers, in the store of paid answers."""


def check(argument: str, settings: DetectorParams) -> None:
    """Check the address without calling it.

    Raises:
        ValueError: it has another shape, pictures would leave this machine without permission, or a key would be sent
            unencrypted.
    """
    address = parsed(argument)
    if not address.is_here and not settings.endpoint.remote:
        raise ValueError(
            f"{address.host} is not this machine, and every picture would be sent there: set "
            "detectors.endpoint.remote=true if that is meant"
        )
    if not address.is_here and os.environ.get(KEY_VARIABLE) and not address.url.startswith("https:"):
        raise ValueError(f"{KEY_VARIABLE} would be sent to {address.host} unencrypted: use its https address")


def make(argument: str, settings: DetectorParams, device: str = "auto") -> Detector:
    """The detector; nothing is sent yet.

    Raises:
        ValueError: see `check`.
    """
    check(argument, settings)
    address = parsed(argument)
    if not address.is_here:
        tqdm.write(f"pictures leave this machine: each one that is checked is sent to {address.url}", file=sys.stderr)
    asker = _Asker(address, settings.endpoint, paid_store(os.environ, Path()) / FOLDER)
    return Detector(
        name=f"endpoint:{argument}",
        detect=lambda image: asker.detect([image])[0],
        detect_together=asker.detect,
        kinds=asker.form.kinds,
        caution=CAUTION,
        source=f"{address.url} ({', '.join(filter(None, [address.form, address.model]))})",
    )


class _Asker:
    """Asks about pictures that have no answer yet, several at a time."""

    def __init__(self, address: Address, settings: EndpointParams, store: Path) -> None:
        self.form: Form = FORMS[address.form]
        self._address, requests = address, settings.requests
        self._words = address.instructions.read_text("utf-8") if address.instructions else self.form.instructions
        url = f"{address.url}{self.form.path}"
        key = os.environ.get(KEY_VARIABLE)
        self._client = EndpointClient(url, is_here=address.is_here, key=key, timeout_s=requests.timeout_s)
        self._purchase = Purchase(
            RequestStore(store),
            Budget(0.0, "nothing"),
            concurrency=requests.concurrency,
            patience=Patience(requests.attempts, requests.first_wait_s),
            counts=Counts(),
        )

    def detect(self, images: Sequence[Image]) -> list[Observation]:
        """What the endpoint says about each picture.

        Raises:
            FatalRequestError: it cannot be reached, refuses, or does not answer in its form.
        """
        requests = [self._request(image) for image in images]
        pictures = {request.key: image for request, image in zip(requests, images, strict=True)}

        def send(request: PaidRequest) -> Outcome:
            outcome = self._client.ask(self.form.body(_png(pictures[request.key]), self._address.model, self._words))
            if problem := self.form.problem(outcome.response):
                reason = f"{self._client.url} does not answer as {self._address.form}: {problem}"
                raise TransientRequestError(reason, alone=True)
            return outcome

        records = self._purchase.run(requests, send)
        seen = [self.form.anomalies(record.outcome.response) for record in records]
        if unread := sum(UNREADABLE in anomalies for anomalies in seen):
            tqdm.write(
                f"{unread} of {len(seen)} answers of {self._client.url} cannot be read, and count as {UNREADABLE}",
                file=sys.stderr,
            )
        return [Observation(anomalies=anomalies) for anomalies in seen]

    def _request(self, image: Image) -> PaidRequest:
        content = {
            "endpoint": self._client.url,
            "form": self._address.form,
            "model": self._address.model,
            "instructions": self._words,
            "image_sha256": sha256_of(str(image.shape).encode() + image.tobytes()),
        }
        return PaidRequest(content, estimate_usd=0.0)


def _png(image: Image) -> bytes:
    buffer = io.BytesIO()
    Pillow.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()
