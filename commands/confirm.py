"""Confirm a correction at seeds that nothing has looked at: `make confirm`, or `make confirm AGAIN=1` for record 1.

The record is committed first; then a temporary experiment samples and judges. Its results are in confirmations/.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

from anomend.confirming.records import Record, new_record, path_of, read_records, record_as_text, refuse_unconfirmable
from anomend.diffusion.lora_folder import WEIGHT_NAME
from anomend.params.profiles import resolve
from anomend.project.dvc_command import dvc
from anomend.project.files import sha256_of, write_whole
from anomend.project.metric_files import read_metrics
from anomend.project.paths import AGAINST, CONFIRMATIONS, LOCK, LORA, PARAMS, PROFILES, REPORT
from anomend.project.yaml_files import read_yaml

KEPT = (
    *(f"metrics/{name}.json" for name in ("verdict", "compare", "measure_base", "measure_tuned")),
    *(f"metrics/{name}.json" for name in ("looks", "sample_base", "sample_tuned", "people", "passport")),
    "report/report.md",
)
"""Results of the experiment that are copied next to its record."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m commands.confirm", description=__doc__)
    parser.add_argument("--again", type=int, metavar="N", help="compute record N again; none: a new record")
    again = parser.parse_args().again
    try:
        record = _recorded(again) if again else _write_record()
        try:
            verdict = _compute(record)
        finally:
            _renew_report()
    except ValueError as error:
        sys.exit(f"confirm: {error}")
    folder = CONFIRMATIONS / f"{record.attempt:03}"
    print(f"confirmation {record.attempt}: {verdict}; commit {folder}, {REPORT} and {LOCK}")


def _renew_report() -> None:
    """Let the everyday report say which confirmations there are, also where this one was stopped."""
    try:
        dvc("repro", "--single-item", "report", cwd=Path.cwd())
    except ValueError as error:
        print(f"the report does not mention the confirmation yet, run `dvc repro`: {error}", file=sys.stderr)


def _write_record() -> Record:
    if changed := _git("status", "--porcelain", "--untracked-files=no"):
        raise ValueError(f"commit your run first: git has uncommitted changes ({changed.splitlines()[0].split()[-1]})")
    params = resolve(read_yaml(PARAMS), PROFILES)
    if params.level == "quick":
        raise ValueError("a quick run proves nothing, so there is nothing to confirm: set level to full")
    refuse_unconfirmable(params)
    weights = LORA / WEIGHT_NAME
    if not weights.is_file():
        raise ValueError(f"{weights} is missing: run `dvc repro` or `dvc pull`")
    if dvc("status", "train", cwd=Path.cwd()).strip() not in ("", "Data and pipelines are up to date."):
        raise ValueError("the LoRA does not belong to these parameters or this code: run `dvc repro`, and commit")
    against = sha256_of(AGAINST / WEIGHT_NAME) if params.sample.against.in_use else None
    record = new_record(params, sha256_of(weights), len(read_records(CONFIRMATIONS)) + 1, against)
    path = path_of(CONFIRMATIONS, record.attempt)
    path.parent.mkdir(exist_ok=True)
    write_whole(path, record_as_text(record))
    _git("add", str(path))
    _git("commit", "--quiet", "--message", f"Record of confirmation {record.attempt}, before it runs", "--", str(path))
    print(f"confirmation {record.attempt} is recorded in {path}; it counts as an attempt, also if it is stopped")
    return record


def _recorded(attempt: int) -> Record:
    records = read_records(CONFIRMATIONS)
    if attempt > len(records):
        raise ValueError(f"there are {len(records)} records in {CONFIRMATIONS}, none of them is {attempt}")
    return records[attempt - 1]


def _compute(record: Record) -> str:
    """Run the experiment of a record, copy its results, and return the outcome."""
    name = f"confirmation-{record.attempt:03}"
    subprocess.run([sys.executable, "-m", "dvc", "exp", "remove", "--quiet", name], capture_output=True, check=False)
    settings = [word for setting in settings_of(record) for word in ("--set-param", setting)]
    ran = subprocess.run([sys.executable, "-m", "dvc", "exp", "run", "--temp", "--name", name, *settings], check=False)
    if ran.returncode:
        raise ValueError(
            f"the run stopped: read its output above, then run `make confirm AGAIN={record.attempt}`; images that were"
            " sampled are kept"
        )
    (commit,) = _git("for-each-ref", "--format=%(objectname)", f"refs/exps/*/*/{name}").split()
    for file in KEPT:
        content = subprocess.run(["git", "show", f"{commit}:{file}"], capture_output=True, check=True).stdout
        target = CONFIRMATIONS / f"{record.attempt:03}" / Path(file).name
        target.parent.mkdir(exist_ok=True)
        write_whole(target, content)
    return str(read_metrics(CONFIRMATIONS / f"{record.attempt:03}" / "verdict.json")["verdict"])


def settings_of(record: Record) -> list[str]:
    """What the experiment sets in params.yaml, in DVC's form: the record's seeds and level, and prompts that have
    changed since."""
    prompts = resolve(read_yaml(PARAMS), PROFILES).prompts
    changed = {
        f"prompts.{name}": json.dumps(record.prompts.get(name, []), ensure_ascii=False)
        for name, texts in prompts.model_dump().items()
        if record.prompts.get(name, []) != texts
    }
    changes = {"sample.first_seed": record.first_seed, "verdict.level": record.verdict["level"], **changed}
    return [f"{key}={value}" for key, value in changes.items()]


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise ValueError(f"`git {' '.join(words)}` failed: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout.strip()


if __name__ == "__main__":
    main()
