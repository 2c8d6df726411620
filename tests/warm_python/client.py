# `python`, `dvc` and `accelerate` in tests: run in a fork of a server, or become the ordinary command.
import array
import json
import os
import resource
import signal
import socket
import sys

MODULES = ("accelerate.", "commands.", "scan.", "stages.", "studies.", "tests.")
OF_THE_SYSTEM = ("HOME", "LANG", "LC_", "LD_", "LOCPATH", "TZ", "XDG_")
OF_PYTHON = ("DIFFUSERS_", "FSSPEC_", "HF_", "MKL_", "OMP_", "PYTHON", "TORCH", "TQDM_", "TRANSFORMERS_")
READ_AT_START = OF_THE_SYSTEM + OF_PYTHON
"""How variables begin that the interpreter or a library reads when it starts."""
READ_LATER = ("PYTHONPATH", "PYTHON_EXEC", "TORCHELASTIC_", "TORCHINDUCTOR_CACHE_DIR", "TORCH_NCCL_")
"""Others of these beginnings; the fork puts PYTHONPATH in its place."""


def inherited() -> dict[str, object]:
    """What a process has from the one that started it, besides its folder and its streams; JSON's types alone."""
    umask = os.umask(0o077)
    os.umask(umask)
    limits = [name for name in dir(resource) if name.startswith("RLIMIT_")]
    return {
        "variables": {
            name: value
            for name, value in os.environ.items()
            if name.startswith(READ_AT_START) and not name.startswith(READ_LATER)
        },
        "umask": umask,
        "priority": os.nice(0),
        "cores": sorted(os.sched_getaffinity(0)),
        "limits": {name: list(resource.getrlimit(getattr(resource, name))) for name in limits},
        "namespaces": {name: os.readlink(f"/proc/self/ns/{name}") for name in sorted(os.listdir("/proc/self/ns"))},  # noqa: PTH115, PTH208 (pathlib is slow to import)
    }


def job(name: str, words: list[str]) -> tuple[str, dict[str, object]] | None:
    """The server of a command, and what is to run in a fork of it; None: none has the libraries.

    Either a module, or a program (`python -c`), or the command's own script.
    """
    if name == "dvc":
        return "dvc", {"script": name, "arguments": words}
    if name == "accelerate":
        return "python", {"script": name, "arguments": words}
    unbuffered = words[:1] == ["-u"]
    option, *rest = words[unbuffered:] or [""]
    if option == "-c" and rest:
        return "python", {"program": rest[0], "arguments": rest[1:], "unbuffered": unbuffered}
    if option == "-m" and rest[:1] == ["dvc"]:
        return job("dvc", rest[1:])
    if option == "-m" and rest and rest[0].startswith(MODULES):
        return "python", {"module": rest[0], "arguments": rest[1:], "unbuffered": unbuffered}
    return None


def become_ordinary(name: str) -> None:
    command = [sys.executable]
    if name != "python":
        command.append(os.path.join(os.path.dirname(sys.executable), name))  # noqa: PTH118, PTH120
    os.execv(command[0], command + sys.argv[1:])


def main() -> None:
    name = os.path.basename(sys.argv[0])  # noqa: PTH119
    found = job(name, sys.argv[1:])
    folder = os.environ.get("ANOMEND_WARM")
    if found is None or folder is None:
        return become_ordinary(name)
    of, work = found
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # While it still imports, the connection waits.
        server.connect(f"{folder}/{of}")
    except OSError:
        become_ordinary(name)
    lines = server.makefile("r")
    if json.loads(lines.readline() or "0") != inherited():
        become_ordinary(name)
    work |= {"folder": os.getcwd(), "variables": dict(os.environ), "executable": f"{folder}/bin/python"}  # noqa: PTH109
    streams = array.array("i", [0, 1, 2]).tobytes()
    server.sendmsg([json.dumps(work).encode() + b"\n"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, streams)])
    child = int(lines.readline())
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: os.kill(child, number))
    # Where this process is killed, the connection breaks, and the server kills the child with all of its group.
    code = int(lines.readline() or 1)
    if code < 0:
        if -code != signal.SIGKILL:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    sys.exit(code)


if __name__ == "__main__":
    main()
