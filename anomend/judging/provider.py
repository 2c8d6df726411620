"""One vendor's API, as a judge needs it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from anomend.purchasing.batch import Result
from anomend.purchasing.batch_limits import BATCH_LIMITS
from anomend.purchasing.prices import Price
from anomend.purchasing.requests import Outcome, PaidRequest


class Provider(Protocol):
    """One vendor's API: `LlmClient` makes the `content` of a request, and the provider turns it into the vendor's
    format."""

    name: str

    def connect(self, api_key: str, timeout_s: float) -> None:
        """Make the client."""

    def send(self, content: Mapping[str, Any], images: Mapping[str, bytes], price: Price) -> Outcome:
        """Send one request; raises the exceptions of `failures`."""

    def size(self, request: PaidRequest) -> int:
        """Bytes of a request in a batch."""

    def submit(self, requests: Sequence[PaidRequest]) -> str:
        """Submit a batch under the requests' keys; returns its id."""

    def ended(self, batch: str) -> bool:
        """Whether a batch has ended."""

    def results(self, batch: str, price: Price) -> Iterator[Result]:
        """The result of each request of a batch."""

    def text(self, response: Mapping[str, Any]) -> str:
        """The answer's text in a stored response; empty where there is none."""

    def cut_off(self, response: Mapping[str, Any]) -> bool:
        """Whether a stored response ends because it reached the limit on tokens."""

    def close(self) -> None:
        """Close the client."""


class ProviderBatches:
    """A provider's `BatchApi`.

    Args:
        provider: the vendor.
        price: of the model.
    """

    def __init__(self, provider: Provider, price: Price) -> None:
        self._provider, self._price = provider, price
        self.limits = BATCH_LIMITS[provider.name]

    def size(self, request: PaidRequest) -> int:
        """See `BatchApi`; images are counted as base64 without writing it."""
        bare = PaidRequest(request.content, 0.0, dict.fromkeys(request.attachments, b""))
        images = (len(request.attachments[name]) for name in request.content["images_sha256"])
        return self._provider.size(bare) + sum(4 * -(-size // 3) for size in images)

    def submit(self, requests: Sequence[PaidRequest]) -> str:
        """See `BatchApi`."""
        return self._provider.submit(requests)

    def ended(self, batch: str) -> bool:
        """See `BatchApi`."""
        return self._provider.ended(batch)

    def results(self, batch: str) -> Iterator[Result]:
        """See `BatchApi`."""
        return self._provider.results(batch, self._price)
