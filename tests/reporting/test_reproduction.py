"""How a run is made again: the commands exist, and the hashes are DVC's."""

from __future__ import annotations

import re

import yaml

from anomend.reporting.reproduction import COMMANDS, locked_data
from tests.conftest import ROOT


def test_hashes_are_those_of_the_committed_lock() -> None:
    text = (ROOT / "dvc.lock").read_text()
    hashes = locked_data(yaml.safe_load(text))
    # Independent of YAML: the lines under the LoRA's path; who reads it has the same hash as who wrote it.
    written = set(re.findall(r"- path: models/lora\n +hash: md5\n +md5: (\S+)\n", text))
    assert [hashes["models/lora"].split(",")[0]] == list(written)
    assert hashes["models/lora"].endswith("by train")
    assert {"data/collected", "data/instance", "data/samples/base", "data/samples/tuned"} <= set(hashes)
    assert not [path for path in hashes if path.startswith(("metrics/", "report/", "params", "run.", "code."))]
    assert list(hashes) == sorted(hashes) and locked_data({}) == {}


def test_its_own_record_is_not_shown_since_it_is_still_the_last_runs() -> None:
    stages = {name: {"outs": [{"path": f"data/{name}", "md5": "0", "size": 5}]} for name in ("train", "report")}
    assert locked_data({"stages": stages}) == {"data/train": "0, 5 bytes, by train"}


def test_the_commands_are_there() -> None:
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    made = [command.split()[1] for command, _ in COMMANDS if command.startswith("make ")]
    assert made and set(made) <= set(targets)
