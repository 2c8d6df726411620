# `python` in the tests' clones: run a module in a fork of the server, or become the ordinary interpreter.
import array
import json
import os
import signal
import socket
import sys

MODULES = ("stages.", "commands.")
READ_AT_IMPORT = ("ACCELERATE_", "DIFFUSERS_", "HF_", "HOME", "LD_", "MKL_", "OMP_", "PYTHON", "TORCH", "TRANSFORMERS_")
READ_AT_IMPORT += ("XDG_",)


def become_ordinary() -> None:
    os.execv(sys.executable, [sys.executable, *sys.argv[1:]])


def connect() -> socket.socket:
    """The connection to the server; while it still imports, the connection waits."""
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.connect(os.environ["ANOMEND_WARM"])
    return server


if len(sys.argv) < 3 or sys.argv[1] != "-m" or not sys.argv[2].startswith(MODULES):
    become_ordinary()
try:
    server = connect()
except OSError:
    become_ordinary()
lines = server.makefile("r")
of_server = json.loads(lines.readline())
mine = {key: value for key, value in os.environ.items() if key.startswith(READ_AT_IMPORT)}
if mine != {key: value for key, value in of_server.items() if key.startswith(READ_AT_IMPORT)}:
    become_ordinary()
job = {"argv": sys.argv[2:], "cwd": os.getcwd(), "environment": dict(os.environ)}  # noqa: PTH109 (pathlib is slow to import)
streams = array.array("i", [0, 1, 2]).tobytes()
server.sendmsg([json.dumps(job).encode() + b"\n"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, streams)])
child = int(lines.readline())
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, lambda number, _: os.kill(child, number))
# Where this process is killed, the connection breaks, and the server kills the child.
code = int(lines.readline() or 1)
if code < 0:
    signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
sys.exit(code)
