"""The documentation's code blocks run unchanged, in one shrunk clone with its results committed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest

from anomend.labelling.records import read_labels, write_labels
from anomend.labelling.texts import versions
from anomend.surveying.key import read_key
from tests.clones import environment, run, virtual_environment
from tests.docs.blocks import TEAMS, Block, blocks
from tests.judging.test_llm_judges import PATHS, VERDICT, answer
from tests.long_runs import on_request
from tests.purchasing.api_server import ApiServer, serve
from tests.purchasing.stage_run import environment as with_keys

pytestmark = [pytest.mark.slow, on_request]

RUN = [block for block in blocks() if block.page != TEAMS and block.runnable()]


@pytest.fixture(scope="module")
def project(reproduced_copy: Callable[[Path], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone on the branch `main`, after `make repro` and a commit of the results."""
    folder = reproduced_copy(tmp_path_factory.mktemp("docs") / "anomend")
    virtual_environment(folder)
    run(folder, "git", "branch", "-m", "main")
    run(folder, "git", "add", "-A")
    run(folder, "git", "commit", "-qm", "results")
    return folder


@pytest.fixture(scope="module")
def vendors() -> Iterator[ApiServer]:
    """Both vendors' APIs on this machine, so that no block reaches the real ones."""
    with serve() as server:
        for provider, path in PATHS.items():
            server.answers[path] = lambda seen, provider=provider: answer(provider, json.dumps(VERDICT))  # type: ignore[misc]
        yield server


def save_answers(project: Path) -> None:
    """Write the file that a participant without a server hands over: answers-<code>.json."""
    key = read_key(project / "data" / "survey_key.json")
    code, trials = next(iter(key.participants.items()))
    answers = [{"trial": trial, "choice": "left", "reaction_ms": 1500} for trial in range(len(trials))]
    submission = {"survey": key.survey, "participant": code, "answers": answers}
    (project / f"answers-{code}.json").write_text(json.dumps(submission))


def save_export(project: Path) -> None:
    """Write Label Studio's export of a rater who is not sure about any picture: export.json."""
    run(project, sys.executable, "-m", "commands.label_tools", "export", "label-studio", "tasks.json")
    tasks = json.loads((project / "tasks.json").read_text())
    for task in tasks:
        task["annotations"] = [{"completed_by": 1, "result": [{"type": "choices", "value": {"choices": ["unsure"]}}]}]
    (project / "export.json").write_text(json.dumps(tasks))


def save_labels(project: Path) -> None:
    """Leave the labels of two raters, as the server leaves them when it is stopped."""
    design = pd.read_csv(project / "data" / "label_design.csv")
    shown = design.assign(answer=design["model"].map({"base": "wrong", "tuned": "nothing"}), texts=versions()[0])
    shown["kinds"] = shown["answer"].map({"wrong": "extra_limb", "nothing": ""})
    shown = shown.assign(places="", milliseconds=5000, showing=0, gold="")
    for rater in ("rater-a", "rater-b"):
        write_labels(project / "data" / "labels" / f"{rater}.csv", shown.assign(rater=rater))


def restore(project: Path) -> None:
    """Restore the commit; experiments stay, for the blocks that name one."""
    run(project, "git", "checkout", "-q", "main")
    run(project, "git", "reset", "-q", "--hard")
    run(project, "git", "clean", "-fdq")
    run(project, "dvc", "checkout", "-q", "dvc.yaml")
    (project / ".venv" / "ready").touch()  # Newer than the lock files, so that nothing is installed.


def execute(project: Path, block: Block, vendors: ApiServer) -> str:
    lines = block.runnable()
    if block.language == "python":
        command = [sys.executable, "-c", block.body]
    else:
        text = "\n".join(lines)
        if re.search(r"\bNAME\b", text):  # An experiment's, from `dvc exp list`.
            text = re.sub(r"\bNAME\b", run(project, "dvc", "exp", "list", "--name-only").stdout.split()[-1], text)
        command = ["bash", "-euo", "pipefail", "-c", text]
    # Permission to spend comes from the block alone.
    env = environment() | {key: value for key, value in with_keys(vendors).items() if key != "ANOMEND_ALLOW_SPEND"}
    done = subprocess.run(command, cwd=project, env=env, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, f"{block.name}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


@pytest.mark.parametrize("block", RUN, ids=lambda block: block.name)
def test_the_block_runs(project: Path, vendors: ApiServer, block: Block) -> None:
    if "survey_import answers" in block.body:
        save_answers(project)
    if "label_tools import" in block.body:
        save_export(project)
    if "git add data/labels" in block.body:
        save_labels(project)
    requests_before = len(vendors.seen)
    try:
        execute(project, block, vendors)
        if "judge.judges=[anthropic, openai]" in block.body:
            assert {seen.path for seen in vendors.seen[requests_before:]} == set(PATHS.values())
            judged = json.loads((project / "metrics" / "judge.json").read_text())
            assert judged["anthropic"]["pairs"] == judged["openai"]["pairs"] > 0
        else:
            assert len(vendors.seen) == requests_before, "it called a vendor"
        if "label_tools import" in block.body:
            assert len(read_labels(project / "data" / "labels")) > 0
        if "git add data/labels" in block.body:
            people = json.loads((project / "metrics" / "people.json").read_text())["anomaly_rate_target"]
            assert people["base"] > 0.5 > people["tuned"]
        if "survey_import answers" in block.body:
            assert len(list((project / "data" / "survey").glob("*.csv"))) == 1
        if "prompts.target=[sitting on the snow]" in block.body:
            captions = (project / "data" / "samples" / "tuned" / "metadata.jsonl").read_text()
            assert "sitting on the snow" in captions and "lying on the street" not in captions
    finally:
        restore(project)
