"""A full disk and one that cannot be written: a sentence, and once it is mended, the same outputs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.clones import run
from tests.faults.faulty import differences, forget, last_line, outputs
from tests.faults.private_mounts import Mounts, mounts_can_be_had, private_mounts
from tests.faults.table import Row, record, whole_suite

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not whole_suite(), reason="minutes long: `make faults` runs it"),
    pytest.mark.skipif(not mounts_can_be_had(), reason="this system lets a user mount nothing"),
]
BALLAST = "ballast"


def outs(folder: Path, stage: str) -> list[str]:
    """What a stage writes, metrics and plots included."""
    return [out["path"] for out in yaml.safe_load((folder / "dvc.lock").read_text())["stages"][stage]["outs"]]


@pytest.fixture(scope="module")
def small_disk(reproduced_whole: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Mounts, Path]]:
    """A copy of the clone on a disk of 192 MiB."""
    folder = tmp_path_factory.mktemp("small disk")
    with private_mounts() as mounts:
        mounts.small(folder, 192)
        mounts.run(folder.parent, "cp", "-a", f"{reproduced_whole}/.", str(folder))
        yield mounts, folder


@pytest.mark.parametrize(
    ("stage", "left"),
    [("collect", 0), *((stage, 32) for stage in ("collect", "encode", "train", "sample_tuned", "survey", "report"))],
)
def test_a_full_disk(reproduced_whole: Path, small_disk: tuple[Mounts, Path], stage: str, left: int) -> None:
    mounts, folder = small_disk
    before = outputs(reproduced_whole)
    forget(mounts.seen(folder), stage)
    # DVC removes old outputs first, which would make room for the new ones.
    mounts.run(folder, "rm", "-rf", *outs(reproduced_whole, stage))
    mounts.run(folder, "sh", "-c", f"cat /dev/zero > {BALLAST}", check=False)
    mounts.run(folder, "truncate", "-s", f"-{left}K", BALLAST)
    done = mounts.run(folder, "dvc", "repro", "--single-item", "--force", stage, check=False)
    assert done.returncode != 0 and "Traceback" not in done.stderr, done.stderr[-2000:]
    assert "No space left" in done.stderr or "disk is full" in done.stderr, done.stderr[-2000:]
    mounts.run(folder, "rm", BALLAST)
    again = mounts.run(folder, "dvc", "repro", check=False)
    assert again.returncode == 0, again.stderr[-2000:]
    lost = differences(before, outputs(mounts.seen(folder)))
    record(
        Row(stage, f"a full disk, {left} KiB left, then room and dvc repro", 1, len(lost), said(done.stderr, folder))
    )
    assert not lost


@pytest.mark.parametrize("stage", ["resolve", "collect", "encode", "train", "sample_tuned", "survey", "report"])
def test_an_output_that_cannot_be_written(reproduced_whole: Path, stage: str) -> None:
    folder, before = reproduced_whole, outputs(reproduced_whole)
    heads = {Path(out).parts[0] for out in outs(folder, stage)}
    forget(folder, stage)
    script, _, words = stage.partition("_") if stage.startswith("sample") else (stage, "", "")
    with private_mounts() as mounts:
        for head in heads:
            mounts.read_only(folder / head)
        refused = [
            mounts.run(folder, "dvc", "repro", "--single-item", "--force", stage, check=False),
            mounts.run(folder, "python", "-m", f"stages.{script}", *filter(None, [words]), check=False),
        ]
    for done in refused:
        assert done.returncode != 0 and "Traceback" not in done.stderr, done.stderr[-2000:]
        # DVC cannot even remove a file that is a mount of its own: it is "busy".
        assert "Read-only file system" in done.stderr or "busy" in done.stderr, done.stderr[-2000:]
    again = run(folder, "dvc", "repro", check=False)
    assert again.returncode == 0, again.stderr[-2000:]
    lost = differences(before, outputs(folder))
    record(Row(stage, "read-only outputs, then dvc repro", 2, len(lost), said(refused[1].stderr, folder)))
    assert not lost


def said(text: str, folder: Path) -> str:
    """The line that tells what is wrong, without this machine's folders."""
    lines = [line for line in text.splitlines() if "No space" in line or "Read-only" in line or "disk is full" in line]
    return last_line("\n".join(lines)).replace(str(folder), "FOLDER")
