"""Small and read-only disks that only the tested command sees: mounts in a namespace of their own, without root."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.clones import environment

_NAMESPACE = ("unshare", "--map-root-user", "--mount")


def mounts_can_be_had() -> bool:
    """True where this user may mount in a namespace; some systems forbid it."""
    try:
        return subprocess.run([*_NAMESPACE, "true"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


class Mounts:
    """A mount namespace; what is mounted in it is gone with it."""

    def __init__(self, pid: int) -> None:
        self._root = Path(f"/proc/{pid}/root")
        self._enter = ["nsenter", "--target", str(pid), "--user", "--mount", "--preserve-credentials"]

    def run(self, folder: Path, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command in a folder as the namespace shows it; one that fails unasked fails the test."""
        words = [*self._enter, "env", "-C", str(folder), *command]
        done = subprocess.run(words, env=environment(), capture_output=True, text=True, check=False)
        if check and done.returncode:
            raise AssertionError(f"{' '.join(command)} failed:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
        return done

    def seen(self, folder: Path) -> Path:
        """Where the rest of the system finds a folder as the namespace shows it."""
        return self._root / folder.relative_to("/")

    def small(self, folder: Path, mebibytes: int) -> None:
        """Mount a disk of so many MiB, held in memory, over a folder."""
        self.run(folder.parent, "mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "small", str(folder))

    def read_only(self, folder: Path) -> None:
        """Make a folder unwritable, for root too."""
        self.run(folder.parent, "mount", "--bind", str(folder), str(folder))
        self.run(folder.parent, "mount", "-o", "remount,bind,ro", str(folder))


@contextmanager
def private_mounts() -> Iterator[Mounts]:
    """A namespace that lives as long as the block."""
    keeper = subprocess.Popen([*_NAMESPACE, "sh", "-c", "echo; exec sleep infinity"], stdout=subprocess.PIPE)
    assert keeper.stdout is not None
    keeper.stdout.readline()
    try:
        yield Mounts(keeper.pid)
    finally:
        keeper.kill()
        keeper.wait()
        keeper.stdout.close()
