"""Addresses at which others reach the server."""

from __future__ import annotations

import ipaddress
import socket

EVERYWHERE = ("0.0.0.0", "::", "")
"""Hosts that mean every address of this machine, and are none themselves."""


def addresses(host: str) -> list[str]:
    """The hosts to write into a link to a server that listens on `host`, the likeliest first.

    Where it listens everywhere, these are the machine's addresses in its networks; if it has none, its loopback one.
    """
    if host not in EVERYWHERE:
        return [_bracketed(host)]
    found = [_outgoing(), *_of_name()]
    usable = [one for one in dict.fromkeys(found) if one and not ipaddress.ip_address(one).is_loopback]
    return [_bracketed(one) for one in usable] or ["127.0.0.1"]


def _outgoing() -> str:
    """The address from which this machine would reach another one. A UDP socket that connects sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # An address for documentation (RFC 5737).
            return str(probe.getsockname()[0])
        except OSError:
            return ""


def _of_name() -> list[str]:
    try:
        found = socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)
    except OSError:
        return []
    return [str(address[0]) for *_, address in found]


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
