"""Import the large libraries once, then fork for every request of a client: see __init__.py."""

from __future__ import annotations

import array
import contextlib
import gc
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import sys
from dataclasses import dataclass, field
from typing import Any

LIBRARIES = (
    "matplotlib.figure",
    "pandas",
    "peft",
    "pydantic",
    "scipy.stats",
    "skimage.metrics",
    "statsmodels.api",
    "torchmetrics",
    "transformers.models.clip.modeling_clip",
    "transformers.models.t5.modeling_t5",
    "diffusers.models.transformers.transformer_sd3",
    "diffusers.models.autoencoders.autoencoder_kl",
    "diffusers.pipelines.stable_diffusion_3.pipeline_stable_diffusion_3",
)
"""None of our own: every clone has its copy of them."""


@dataclass
class Client:
    connection: socket.socket
    received: bytes = b""
    streams: list[int] = field(default_factory=list)
    child: int = 0


def become(client: Client, started: dict[str, str]) -> list[str]:
    """In the fork: take the client's place, and return the module's name with its arguments."""
    job: dict[str, Any] = json.loads(client.received)
    for place, descriptor in enumerate(client.streams):
        os.dup2(descriptor, place)
        os.close(descriptor)
    os.chdir(job["cwd"])
    for variable in os.environ.keys() & started.keys() - job["environment"].keys():
        del os.environ[variable]
    os.environ.update(job["environment"])  # What the libraries have set stays.
    sys.path[0] = job["cwd"]
    importlib.invalidate_caches()
    return job["argv"]


def serve(path: str, started: dict[str, str]) -> list[str]:
    """Serve until killed; returns in the forks alone. Args: started: the environment before the imports."""
    greeting = json.dumps(started).encode() + b"\n"
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    listener.listen(64)
    woken, wakes = os.pipe()
    os.set_blocking(wakes, False)
    signal.set_wakeup_fd(wakes)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    clients: dict[int, Client] = {}
    with selectors.DefaultSelector() as selector:
        selector.register(listener, selectors.EVENT_READ)
        selector.register(woken, selectors.EVENT_READ)

        def drop(client: Client) -> None:
            selector.unregister(client.connection)
            client.connection.close()

        while True:
            for key, _ in selector.select():
                if key.fileobj is listener:
                    connection, _address = listener.accept()
                    connection.sendall(greeting)
                    selector.register(connection, selectors.EVENT_READ, Client(connection))
                elif key.fileobj == woken:
                    os.read(woken, 1024)
                    for child, code in ended(clients):
                        client = clients.pop(child)
                        with contextlib.suppress(OSError):
                            client.connection.sendall(f"{code}\n".encode())
                        drop(client)
                else:
                    client = key.data
                    if not receive(client):
                        if client.child in clients:
                            os.kill(client.child, signal.SIGKILL)
                        else:
                            drop(client)
                    elif client.received.endswith(b"\n") and not client.child:
                        client.child = os.fork()
                        if not client.child:
                            signal.set_wakeup_fd(-1)
                            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                            for each in (listener, *(other.connection for other in clients.values())):
                                each.close()
                            client.connection.close()
                            os.close(woken)
                            os.close(wakes)
                            return become(client, started)
                        clients[client.child] = client
                        for descriptor in client.streams:
                            os.close(descriptor)
                        client.connection.sendall(f"{client.child}\n".encode())


def receive(client: Client) -> bool:
    """Read what a client sent; false: it is gone."""
    descriptors = array.array("i")
    try:
        data, extra, _, _ = client.connection.recvmsg(1 << 20, socket.CMSG_SPACE(3 * descriptors.itemsize))
    except OSError:
        return False
    for level, kind, content in extra:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            descriptors.frombytes(content)
    client.streams += descriptors
    client.received += data
    return bool(data)


def ended(clients: dict[int, Client]) -> list[tuple[int, int]]:
    """Children that have ended, with their exit codes (negative: the signal that killed it)."""
    found = []
    for child in list(clients):
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            found.append((child, os.waitstatus_to_exitcode(status)))
    return found


if __name__ == "__main__":
    before = dict(os.environ)
    for library in LIBRARIES:
        importlib.import_module(library)
    gc.collect()
    gc.freeze()
    module, *arguments = serve(sys.argv[1], before)
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
