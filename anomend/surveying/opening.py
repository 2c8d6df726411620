"""The desks of this project's survey and labels, from parameters and paths."""

from __future__ import annotations

import subprocess
from pathlib import Path

from anomend.labelling.other_tools import rater_key
from anomend.params.labels import LabelParams
from anomend.params.survey import SurveyParams
from anomend.project.paths import DATA, LABEL_ANSWERS, LABEL_KEY, RATER_KEY, SCAN_LABELS, SURVEY_KEY
from anomend.surveying.desks import LabelDesk
from anomend.surveying.key import LabelKey, SurveyKey, read_key
from anomend.surveying.labels import SCAN_KEY
from anomend.surveying.survey_desk import SurveyDesk

SURVEY_ANSWERS = DATA / "survey_answers"
"""What the survey's server receives, one file per participant, until it is imported into the folder that git keeps.
No stage reads it, and so it is here: every stage depends on anomend/project/paths.py."""
SURVEY_ENTRIES = DATA / "survey_entries.jsonl"
"""Codes of those who came by the link for all; likewise."""
SCAN_LABEL_ANSWERS = DATA / "scan_label_answers"
"""What the server receives of a scan's labels; likewise."""
SECRET = "ANOMEND_RATER_KEY"
"""Environment variable with the key of the hashes, in place of the file `.rater_key`."""
SHORTEST_SECRET = 32


def open_survey(params: SurveyParams, *, secret: str | None = None, root: Path = Path()) -> SurveyDesk:
    """The survey's desk.

    Args:
        params: of the survey.
        secret: key of the hashes; None or empty: that of the file `.rater_key`, which is made at first.
        root: the project.

    Raises:
        ValueError: the key of the survey is missing, the folder of responses is not there, or the secret is too short.
    """
    folder = folder_of(root / params.responses, "survey.responses")
    if secret and len(secret) < SHORTEST_SECRET:
        raise ValueError(f"{SECRET} has {len(secret)} characters: take {SHORTEST_SECRET} random ones or more")
    return SurveyDesk(
        read_key(root / SURVEY_KEY, SurveyKey),
        root / SURVEY_ANSWERS,
        folder=folder,
        committed=in_git,
        recruiting=params.recruiting,
        entries=root / SURVEY_ENTRIES,
        secret=secret.encode() if secret else rater_key(root / RATER_KEY),
    )


def open_labels(params: LabelParams, *, scan: bool = False, root: Path = Path()) -> LabelDesk:
    """The labels' desk.

    Args:
        params: of the labels.
        scan: the pictures are those that a scan asks for, and not a run's.
        root: the project.

    Raises:
        ValueError: the key of the design is missing, or the folder of labels is not there.
    """
    folder = folder_of(root / params.labels, "label.labels")
    if scan and not (root / SCAN_LABELS / SCAN_KEY).is_file():
        raise ValueError("no scan waits for labels: run `make scan` with scan.evidence=people first")
    key, answers = (SCAN_LABELS / SCAN_KEY, SCAN_LABEL_ANSWERS) if scan else (LABEL_KEY, LABEL_ANSWERS)
    return LabelDesk(read_key(root / key, LabelKey), root / answers, folder=folder, committed=in_git)


def folder_of(path: Path, parameter: str) -> Path:
    """The folder that a parameter names.

    Raises:
        ValueError: it is not there.
    """
    if not path.is_dir():
        raise ValueError(f"{parameter} = {path.as_posix()!r} is not a folder: make it, or fix the parameter")
    return path


def in_git(path: Path) -> bool:
    """Whether git's last commit has a file of this name; outside a repository it has none."""
    if not path.parent.is_dir():
        return False
    command = ["git", "cat-file", "-e", f"HEAD:./{path.name}"]
    return subprocess.run(command, cwd=path.parent, capture_output=True, check=False).returncode == 0
