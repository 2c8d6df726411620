"""Files that a disk or a hand has spoiled: made again, or named in a sentence; never taken for what they were."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest

from tests.clones import killed, run, start
from tests.faults.faulty import differences, forget, last_line, outputs, repro
from tests.faults.table import Row, record, whole_suite

pytestmark = pytest.mark.slow
CHECKPOINTS = ".checkpoints/train/*/state-*.safetensors"
only_in_the_whole_suite = pytest.mark.skipif(not whole_suite(), reason="minutes long: `make faults` runs it")


@pytest.mark.parametrize(
    ("stage", "name"),
    [
        ("curate", "data/instance/0000.png"),
        pytest.param("sample_tuned", "data/samples/tuned/metadata.jsonl", marks=only_in_the_whole_suite),
        pytest.param("encode", "data/encoded/instance.safetensors", marks=only_in_the_whole_suite),
    ],
)
def test_a_cut_off_file_is_made_again(reproduced_whole: Path, stage: str, name: str) -> None:
    folder, before = reproduced_whole, outputs(reproduced_whole)
    path = folder / name
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:100])
    done = run(folder, "dvc", "repro", check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    lost = differences(before, outputs(folder))
    record(Row(stage, f"{name} cut off, then dvc repro", 1, len(lost), ""))
    assert not lost


def test_a_spoiled_object_of_the_cache_is_found(reproduced_whole: Path) -> None:
    folder, before = reproduced_whole, outputs(reproduced_whole)
    assert "0 of" in run(folder, "python", "-m", "commands.check_cache").stdout
    content = (folder / "data/instance/0000.png").read_bytes()
    spoiled = [path for path in (folder / ".dvc/cache/files/md5").glob("??/*") if path.read_bytes() == content]
    for path in spoiled:
        path.chmod(0o644)
        # One byte of the pixels, and DVC's own sign that the object is whole.
        path.write_bytes(content[:60] + bytes([content[60] ^ 255]) + content[61:])
        path.chmod(0o444)
    shutil.rmtree(folder / "data/instance")
    run(folder, "dvc", "repro")
    assert differences(before, outputs(folder)) == ["data/instance/0000.png"], "DVC restores it and does not see it"
    refused = run(folder, "python", "-m", "stages.encode", check=False)
    assert refused.returncode == 1 and "Traceback" not in refused.stderr
    assert "data/instance/0000.png is not the picture" in refused.stderr, refused.stderr[-2000:]
    assert "1 of" in run(folder, "python", "-m", "commands.check_cache").stdout
    run(folder, "dvc", "repro")
    lost = differences(before, outputs(folder))
    message = last_line(refused.stderr).replace(str(folder), "FOLDER")
    record(Row("encode", "a byte of a cached input turned, then make check-cache and dvc repro", 1, len(lost), message))
    assert not lost and len(spoiled) == 1


@only_in_the_whole_suite
def test_a_cut_off_checkpoint_is_named(reproduced_whole: Path) -> None:
    folder, before = reproduced_whole, outputs(reproduced_whole)
    forget(folder, "train")
    running = start(folder, "dvc", "repro", "--single-item", "--force", "train")
    while not list(folder.glob(CHECKPOINTS)):
        assert running.poll() is None, "it ended before it wrote a checkpoint"
        time.sleep(0.02)
    killed(running)
    found = list(folder.glob(CHECKPOINTS))
    found[0].write_bytes(found[0].read_bytes()[:1000])
    refused, _ = repro(folder)
    assert refused.returncode != 0 and "Traceback" not in refused.stderr, refused.stderr[-2000:]
    named = [line for line in refused.stderr.splitlines() if ".checkpoints" in line]
    assert named, refused.stderr[-2000:]
    shutil.rmtree(folder / ".checkpoints")
    run(folder, "dvc", "repro")
    lost = differences(before, outputs(folder))
    record(Row("train", "its checkpoint cut off, then removed as it says, then dvc repro", 1, len(lost), named[0]))
    assert not lost
