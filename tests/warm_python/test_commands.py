"""The commands that tests start from warm processes do what the ordinary ones do, and nobody outlives its client."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.clones import environment, killed, run, start
from tests.conftest import ROOT

pytestmark = pytest.mark.skipif("ANOMEND_WARM" not in environment(), reason="no warm processes here")
WARM = "import sys; print('diffusers' in sys.modules)"


def is_warm(folder: Path, *before: str) -> bool:
    return run(folder, *before, "python", "-c", WARM).stdout == "True\n"


def test_a_fork_has_the_libraries_and_the_ordinary_command_does_not(tmp_path: Path) -> None:
    assert is_warm(tmp_path) and not is_warm(tmp_path, "env", "-u", "ANOMEND_WARM")


@pytest.mark.parametrize(
    "before",
    [
        ["env", "LC_ALL=POSIX"],
        ["env", "TZ=Asia/Kathmandu"],
        ["env", "PYTHONHASHSEED=7"],
        ["env", "OMP_NUM_THREADS=2"],
        ["nice", "-n", "1"],
        ["sh", "-c", 'umask 0111; exec "$@"', "sh"],
        ["sh", "-c", 'ulimit -f 1000; exec "$@"', "sh"],
    ],
    ids=" ".join,
)
def test_what_a_fork_could_not_inherit_is_left_to_the_ordinary_command(tmp_path: Path, before: list[str]) -> None:
    assert not is_warm(tmp_path, *before)


def test_words_variables_paths_streams_and_the_folder_are_the_callers(tmp_path: Path) -> None:
    (tmp_path / "ours.py").write_text("import os\nvalue = os.getcwd()\n")
    code = "import os, sys, ours; print(ours.value, sys.argv, os.environ.get('GIVEN'), 'HOME' in os.environ, input())"
    for before in ([], ["env", "-u", "ANOMEND_WARM"]):
        words = [*before, "env", "GIVEN=yes", f"PYTHONPATH={tmp_path}", "python", "-c", code, "a b", "-m"]
        done = subprocess.run(
            words, cwd=tmp_path, env=environment(), input="said\n", capture_output=True, text=True, check=True
        )
        assert done.stdout == f"{tmp_path} {['-c', 'a b', '-m']} yes True said\n", done.stderr


def test_the_projects_modules_are_those_of_the_folder(tmp_path: Path) -> None:
    for name in ("__init__.py", "params", "project"):
        copy = shutil.copytree if (ROOT / "anomend" / name).is_dir() else shutil.copy
        (tmp_path / "anomend").mkdir(exist_ok=True)
        copy(ROOT / "anomend" / name, tmp_path / "anomend" / name)
    said = "; print(slugs.__file__, slugs.__spec__.origin, slugs.slug('a b'), os.environ.get('GOMP_SPINCOUNT'))"
    code = "import os, sys; print('anomend.params.params' in sys.modules); from anomend.project import slugs" + said
    code += "; from anomend.params.resolved import load_params; import anomend; print(anomend.__path__)"

    def lines(*before: str) -> list[str]:
        return run(tmp_path, *before, "python", "-c", code).stdout.splitlines()

    file, ordinary = tmp_path / "anomend/project/slugs.py", ["env", "-u", "ANOMEND_WARM"]
    assert lines() == ["True", f"{file} {file} a_b 2000", f"['{tmp_path}/anomend']"]
    assert lines()[1:] == lines(*ordinary)[1:] and lines(*ordinary)[0] == "False"
    file.write_text(file.read_text() + "\n\ndef slug(text: str) -> str:\n    return 'changed'\n")
    assert lines() == ["False", f"{file} {file} changed 2000", f"['{tmp_path}/anomend']"] == lines(*ordinary)
    shutil.rmtree(tmp_path / "anomend")
    refused = run(tmp_path, "env", "PYTHONPATH=", "python", "-c", code, check=False)
    assert refused.returncode and "No module named 'anomend'" in refused.stderr


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("pass", 0),
        ("raise SystemExit(3)", 3),
        ("raise SystemExit('a sentence')", 1),
        ("raise ValueError('wrong')", 1),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", -15),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", -9),
        ("import atexit, threading; threading.Timer(0.1, print, ['later']).start()", 0),
        ("import atexit; atexit.register(print, 'later'); print(end='first ')", 0),
    ],
)
def test_it_ends_as_the_ordinary_command_does(tmp_path: Path, code: str, expected: int) -> None:
    warm = run(tmp_path, "python", "-c", code, check=False)
    ordinary = run(tmp_path, sys.executable, "-c", code, check=False)
    assert warm.returncode == ordinary.returncode == expected
    assert warm.stdout == ordinary.stdout
    assert warm.stderr.splitlines()[-1:] == ordinary.stderr.splitlines()[-1:]


def test_dvc_and_accelerate_are_those_of_this_environment(tmp_path: Path) -> None:
    for words in (["dvc", "--version"], ["python", "-m", "dvc", "--version"], ["accelerate", "env", "--help"]):
        assert run(tmp_path, *words).stdout == run(tmp_path, "env", "-u", "ANOMEND_WARM", *words).stdout


ODD = ["yes", "a: b", "it's", 'a "b"', "two\nlines", " blanks ", "ä \U0001f600", "x" * 100, "long " * 40, "", "#"]
PIPELINE: dict[str, Any] = {
    "first": {"cmd": "cp params.yaml ä.txt", "params": ["odd"], "outs": ["ä.txt"]},
    "second": {"cmd": "cp ä.txt second", "deps": ["ä.txt"], "params": ["odd", "more"], "outs": ["second"]},
    "third": {"cmd": "cp second third", "deps": ["second"], "outs": ["third"]},
}


def test_dvc_writes_the_same_lock(tmp_path: Path) -> None:
    for name, before in (("warm", []), ("ordinary", ["env", "-u", "ANOMEND_WARM"])):
        folder = tmp_path / name
        folder.mkdir()
        run(folder, "git", "init", "-q")
        run(folder, *before, "dvc", "init", "-q")
        (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": PIPELINE}, allow_unicode=True))
        odd: dict[str, Any] = {"odd": {"texts": ODD}, "more": [None, True, 1e-05, 0.1, 1e22, 2**70, {}, [], [[1]]]}
        for _ in range(2):
            (folder / "params.yaml").write_text(yaml.safe_dump(odd))
            run(folder, *before, "dvc", "repro")
            odd["more"].append("again")
    assert (tmp_path / "warm/dvc.lock").read_bytes() == (tmp_path / "ordinary/dvc.lock").read_bytes()


def test_with_its_client_dies_all_that_a_fork_has_started(tmp_path: Path) -> None:
    """DVC, its shell, and the stage, which is a client itself."""
    run(tmp_path, "git", "init", "-q")
    run(tmp_path, "dvc", "init", "-q")
    waits = "import os, pathlib, time; pathlib.Path('pid').write_text(str(os.getpid())); time.sleep(600)"
    (tmp_path / "dvc.yaml").write_text(f'stages: {{wait: {{cmd: "python -c \\"{waits}\\""}}}}\n')
    process = start(tmp_path, "dvc", "repro")
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    stage = int((tmp_path / "pid").read_text())
    os.kill(stage, 0)
    assert killed(process) == -9
    for _ in range(500):
        try:
            os.kill(stage, 0)
        except ProcessLookupError:
            return
        time.sleep(0.01)
    raise AssertionError("the stage lives on")
