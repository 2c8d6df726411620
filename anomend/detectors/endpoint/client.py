"""Sends a picture to an endpoint, within limits of time and size."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

import httpx

from anomend.purchasing.failures import FatalRequestError, TransientRequestError
from anomend.purchasing.requests import Outcome

MOST_BYTES = 1_000_000
"""Of an answer; HADM's largest is some 100 kB."""
KEY_VARIABLE = "ANOMEND_ENDPOINT_KEY"
"""Environment variable of the endpoint's key, if it asks for one."""
MAY_PASS = (408, 425, 429)


class EndpointClient:
    """An HTTP client of one endpoint.

    It follows no redirection, which could take a picture elsewhere, and talks to this machine without a proxy.

    Args:
        url: the whole address.
        is_here: whether that is on this machine.
        key: sent as a bearer token; None: none.
        timeout_s: seconds that an answer may take, from the first byte sent to the last byte read.
    """

    def __init__(self, url: str, *, is_here: bool, key: str | None, timeout_s: float) -> None:
        self.url, self._timeout_s = url, timeout_s
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._client = httpx.Client(timeout=timeout_s, trust_env=not is_here, headers=headers)

    def ask(self, body: Mapping[str, Any]) -> Outcome:
        """The answer, which must be a JSON object.

        Raises:
            TransientRequestError: no answer in time, a fault of the server, or not such an answer.
            FatalRequestError: the endpoint refuses, or is not one.
        """
        ends = time.monotonic() + self._timeout_s
        try:
            with self._client.stream("POST", self.url, json=body) as response:
                content = b""
                for chunk in response.iter_bytes():
                    content += chunk
                    if len(content) > MOST_BYTES:
                        raise TransientRequestError(
                            f"{self.url} answers with more than {MOST_BYTES:,} bytes", alone=True
                        )
                    if time.monotonic() > ends:
                        raise TransientRequestError(f"{self.url} gave no whole answer in {self._timeout_s:g} s")
        except httpx.TimeoutException:
            raise TransientRequestError(f"{self.url} gave no answer in {self._timeout_s:g} s") from None
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise TransientRequestError(f"{self.url} cannot be reached ({error})") from None
        self._refuse(response.status_code, content)
        try:
            answer = json.loads(content)
        except (ValueError, RecursionError):
            raise TransientRequestError(f"{self.url} does not answer with JSON", alone=True) from None
        if not isinstance(answer, dict):
            raise TransientRequestError(f"{self.url} does not answer with a JSON object", alone=True)
        return Outcome(kind="answer", response=answer, usd=0.0)

    def _refuse(self, status: int, content: bytes) -> None:
        if status == 200:
            return
        said = " ".join(content[:300].decode(errors="replace").split())
        if status in MAY_PASS or status >= 500:
            raise TransientRequestError(f"{self.url} answers {status}: {said}")
        if status in (401, 403):
            raise FatalRequestError(f"{self.url} refuses the key ({status}): set {KEY_VARIABLE} to one that it takes")
        if status < 400 or status in (404, 405):
            raise FatalRequestError(f"{self.url} is not such an endpoint (it answers {status}): fix the address")
        raise TransientRequestError(f"{self.url} cannot use a picture ({status}: {said})", alone=True)
