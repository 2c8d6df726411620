"""Connections to the survey's server: those that send no whole request in time are closed.

uvicorn limits how long a connection may rest between two requests, but not how long a request's headers may take. A
few hundred such connections would keep everybody else out.
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

SECONDS_FOR_HEADERS = 30.0


class TimedProtocol(H11Protocol):
    """HTTP/1.1 of uvicorn; a connection without a request for two ticks of the clock in a row is closed."""

    _waited = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock."""
        super().connection_made(transport)
        self.loop.call_later(SECONDS_FOR_HEADERS / 2, self._tick)

    def _tick(self) -> None:
        if self.transport.is_closing():
            return
        waits = self.cycle is None or self.cycle.response_complete
        if waits and self._waited:
            self.transport.close()
            return
        self._waited = waits
        self.loop.call_later(SECONDS_FOR_HEADERS / 2, self._tick)
