"""A server on this machine that speaks S3's protocol, with a bucket `anomend`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx

KEYS = {"AWS_ACCESS_KEY_ID": "not-a-key", "AWS_SECRET_ACCESS_KEY": "not-a-secret-either"}


@contextmanager
def s3_server() -> Iterator[str]:
    """Its address. The port is one that the system gives, so that several may run at once."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    try:
        # The header only names a region: this server checks no signature.
        credential = "AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/s3/aws4_request"
        httpx.put(f"{url}/anomend", headers={"Authorization": credential}).raise_for_status()
        yield url
    finally:
        server.stop()
