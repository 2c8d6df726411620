"""Import large libraries once, then fork for every request of a client: see __init__.py."""

from __future__ import annotations

import array
import atexit
import contextlib
import ctypes
import gc
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from client import inherited
from own_modules import own_modules, take_own_modules
from quick_locks import treat_locks_quickly

LIBRARIES: dict[str, tuple[str, ...]] = {}
"""By server."""
LIBRARIES["python"] = (
    "accelerate.commands.accelerate_cli",
    "accelerate.commands.launch",
    "matplotlib.figure",
    "pandas",
    "peft",
    # Models import these when they are made.
    "pydantic._internal._generate_schema",
    "pydantic.functional_validators",
    "pydantic.json_schema",
    "pydantic.main",
    "pydantic.plugin._schema_validator",
    "pydantic.types",
    "PIL.ImageCms",
    "scipy.stats",
    "skimage.color",
    "skimage.filters",
    "skimage.measure",
    "skimage.metrics",
    "skimage.morphology",
    "statsmodels.api",
    "tenacity",
    "torchmetrics",
    "transformers.models.clip.modeling_clip",
    "transformers.models.t5.modeling_t5",
    "diffusers.models.transformers.transformer_sd3",
    "diffusers.models.autoencoders.autoencoder_kl",
    "diffusers.pipelines.stable_diffusion_3.pipeline_stable_diffusion_3",
)
# DVC imports most of its modules, and nearly all libraries, in the functions that use them.
LIBRARIES["dvc"] = (
    "dvc._debug",
    "dvc.cachemgr",
    "dvc.cli.parser",
    "dvc.data_cloud",
    "dvc.repo.add",
    "dvc.repo.artifacts",
    "dvc.repo.brancher",
    "dvc.repo.checkout",
    "dvc.repo.commit",
    "dvc.repo.datasets",
    "dvc.repo.experiments.executor.local",
    "dvc.repo.experiments.queue.celery",
    "dvc.repo.experiments.queue.tempdir",
    "dvc.repo.experiments.queue.workspace",
    "dvc.repo.experiments.run",
    "dvc.repo.experiments.show",
    "dvc.repo.freeze",
    "dvc.repo.graph",
    "dvc.repo.metrics.diff",
    "dvc.repo.open_repo",
    "dvc.repo.params.diff",
    "dvc.repo.plots",
    "dvc.repo.push",
    "dvc.repo.reproduce",
    "dvc.repo.stage",
    "dvc.repo.status",
    "dvc.repo.worktree",
    "dvc.stage.serialize",
    "dvc.ui.pager",
    "dvc.ui.table",
    "dvc.utils.hydra",
    "dvc.utils.strictyaml",
    "dvc_data.hashfile._progress",
    "dvc_data.hashfile.db.local",
    "dvc_data.hashfile.status",
    "dvc_data.index.checkout",
    "dvc_data.index.fetch",
    "dvc_data.index.push",
    "dvc_render.vega",
    "dvc_task.app.filesystem",
    "dvc_task.proc.manager",
    "dvc_task.worker",
    "celery.app.amqp",
    "celery.app.control",
    "celery.concurrency.thread",
    "celery.fixups.django",
    "celery.loaders.app",
    "celery.worker.worker",
    "dulwich.porcelain",
    "flatten_dict",
    "fsspec.implementations.memory",
    "hydra",
    "hydra._internal.core_plugins.basic_launcher",
    "hydra.core.config_store",
    "kombu.transport.filesystem",
    "networkx",
    "omegaconf",
    "platformdirs.unix",
    "pygit2",
    "rich.console",
    "rich.table",
    "ruamel.yaml",
    "scmrepo.fs",
    "scmrepo.git.backend.pygit2.filter",
    "xml.etree.ElementTree",
)
LIBC = ctypes.CDLL(None)
DIES_WITH_PARENT = 1
"""PR_SET_PDEATHSIG of <sys/prctl.h>."""


@dataclass
class Client:
    connection: socket.socket
    received: bytes = b""
    streams: list[int] = field(default_factory=list)
    child: int = 0

    def send(self, line: object) -> None:
        with contextlib.suppress(OSError):  # It may have been killed.
            self.connection.sendall(f"{line}\n".encode())


def take_its_place(client: Client, started: dict[str, str]) -> dict[str, Any]:
    """In the fork: have the client's streams, folder and variables; returns what is to be run."""
    job: dict[str, Any] = json.loads(client.received)
    for place, descriptor in enumerate(client.streams):
        os.dup2(descriptor, place)
        os.close(descriptor)
    os.chdir(job["folder"])
    for variable in os.environ.keys() & started.keys() - job["variables"].keys():
        del os.environ[variable]
    os.environ.update(job["variables"])  # What the libraries have set stays.
    before, after = (
        [path for path in variables.get("PYTHONPATH", "").split(os.pathsep) if path]
        for variables in (started, job["variables"])
    )
    sys.path[1 : 1 + len(before)] = after
    importlib.invalidate_caches()
    return job


def serve(listener: socket.socket, started: dict[str, str], greeting: str) -> dict[str, Any]:
    """Serve until killed; returns in the forks alone, with what they are to run.

    Args:
        listener: where clients connect.
        started: the environment before the imports.
        greeting: the line that every client reads first.
    """
    woken, wakes = socket.socketpair()
    wakes.setblocking(False)
    signal.set_wakeup_fd(wakes.fileno())
    signal.signal(signal.SIGCHLD, lambda *_: None)
    running: dict[int, Client] = {}
    with selectors.DefaultSelector() as selector:
        selector.register(listener, selectors.EVENT_READ)
        selector.register(woken, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is listener:
                    client = Client(listener.accept()[0])
                    client.send(greeting)
                    selector.register(client.connection, selectors.EVENT_READ, client)
                elif key.fileobj is woken:
                    woken.recv(1024)
                    for child, code in ended(running):
                        running.pop(child).send(code)
                elif not receive(client := key.data):
                    selector.unregister(client.connection)
                    client.connection.close()
                    if running.get(client.child) is client:
                        # With what it has started: whoever killed the client meant its whole group.
                        os.killpg(client.child, signal.SIGKILL)
                elif client.received.endswith(b"\n") and not client.child:
                    client.child = os.fork()
                    # By both, so that it holds for whichever goes on first.
                    with contextlib.suppress(OSError):
                        os.setpgid(client.child, 0)
                    if not client.child:
                        LIBC.prctl(DIES_WITH_PARENT, signal.SIGKILL)
                        signal.set_wakeup_fd(-1)
                        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                        for each in (wakes, *(each.fileobj for each in selector.get_map().values())):
                            each.close()  # type: ignore[union-attr]
                        return take_its_place(client, started)
                    running[client.child] = client
                    for descriptor in client.streams:
                        os.close(descriptor)
                    client.send(client.child)


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


def ended(running: dict[int, Client]) -> list[tuple[int, int]]:
    """Children that have ended, with their exit codes (negative: the signal that killed it)."""
    found = []
    for child in running:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            found.append((child, os.waitstatus_to_exitcode(status)))
    return found


def run(job: dict[str, Any], own: dict[str, bytes]) -> None:
    """In the fork: run a module, a program or a command's script, as the interpreter would.

    Args:
        job: what the client wants.
        own: see `own_modules`.
    """
    arguments, script = job["arguments"], Path(sys.executable).parent / job.get("script", "")
    sys.executable = job["executable"]  # What it starts by this name starts quickly too.
    if job.get("unbuffered"):
        for stream in (sys.stdout, sys.stderr):
            stream.reconfigure(write_through=True)  # type: ignore[union-attr]
    if "script" in job:
        sys.path[0], sys.argv = str(script.parent), [str(script), *arguments]
        sys.orig_argv = [sys.executable, *sys.argv]
        take_own_modules(own)
        runpy.run_path(str(script), run_name="__main__")
    elif module := job.get("module"):
        sys.path[0], sys.argv = job["folder"], [module, *arguments]
        sys.orig_argv = [sys.executable, "-m", module, *arguments]
        take_own_modules(own)
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    else:
        sys.path[0], sys.argv = "", ["-c", *arguments]
        sys.orig_argv = [sys.executable, "-c", job["program"], *arguments]
        sys.modules["__main__"] = ModuleType("__main__")
        take_own_modules(own)
        exec(compile(job["program"], "<string>", "exec"), sys.modules["__main__"].__dict__)


def end(code: object) -> None:
    """In the fork: end as the interpreter does, but do not free all that the server has imported first."""
    if code is None or isinstance(code, int):
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit((code or 0) & 0xFF)


def main(libraries: str, descriptor: str) -> None:
    """Be the server that has these libraries, at a listening socket; in a fork: the command."""
    started, greeting = dict(os.environ), json.dumps(inherited())
    for library in LIBRARIES[libraries]:
        importlib.import_module(library)
    if libraries == "dvc":
        treat_locks_quickly()
    else:
        importlib.import_module("PIL.Image").init()  # Its plugins, which it imports when it opens a file.
    own = own_modules() if libraries == "python" else {}
    gc.collect()
    gc.freeze()
    job = serve(socket.socket(fileno=int(descriptor)), started, greeting)
    try:
        run(job, own)
    except SystemExit as ended:
        end(ended.code)
        raise
    end(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
