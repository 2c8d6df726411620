"""On PYTHONPATH, this keeps Python from reaching other machines, and notes who tried in the file $TRIED_NETWORK."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from typing import Any, NoReturn

_connect, _getaddrinfo = socket.socket.connect, socket.getaddrinfo
_LOCAL = {"localhost", "127.0.0.1", "::1", None, ""}


def _refuse(address: object) -> NoReturn:
    with Path(os.environ["TRIED_NETWORK"]).open("a") as notes:
        notes.write(f"{' '.join(sys.argv)}: {address}\n")
    raise OSError(f"no network here: {address}")


def _guarded_connect(self: socket.socket, address: Any) -> None:
    if self.family != socket.AF_UNIX and address[0] not in _LOCAL:
        _refuse(address)
    _connect(self, address)


def _guarded_getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
    if (host.decode() if isinstance(host, bytes) else host) not in _LOCAL:
        _refuse(host)
    return _getaddrinfo(host, *args, **kwargs)


socket.socket.connect = _guarded_connect  # type: ignore[method-assign]
socket.getaddrinfo = _guarded_getaddrinfo
