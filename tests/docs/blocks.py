"""The code blocks of the documentation, their commands, and the commands that no test runs, with the reason."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from markdown_it import MarkdownIt

from tests.conftest import ROOT

PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    *(ROOT / folder / "README.md" for folder in ("studies/replication", "studies/benchmarks", "models/mini")),
]
TEAMS = "docs/teams.md"
"""Its blocks run in a small repository (test_teams.py), all others in a shrunk clone (test_blocks_run.py)."""

THIS_SUITE = "is this suite"
HOURS = "takes about an hour, on a machine that does nothing else"
MINUTES = "takes ten minutes; tests/benchmarks/test_measures.py runs its tasks on small sets"
NETWORK = "fetches from GitHub"
SECOND_ENVIRONMENT = "creates an environment of 2.2 GB"
SCAN_TUTORIAL = "test_scan_tutorial.py runs it, in a clone that samples in enough steps for right images"
CLUSTER = "needs a cluster, or an account with a cloud"

NOT_RUN: dict[str, dict[str, str]] = {
    "README.md": {"make test": THIS_SUITE},
    "CONTRIBUTING.md": {"make test-fast": THIS_SUITE, "make test": THIS_SUITE, "make test-docs": THIS_SUITE},
    "docs/anatomy_detectors.md": {
        "dvc exp run -S 'measure.detector=objects:models/artifacts@<sha256>'": (
            "needs your own model; tests/detectors/test_objects.py makes one"
        ),
        "dvc exp run -S \"measure.detector='endpoint:http://127.0.0.1:8080#hadm'\"": (
            "needs a server; tests/detectors/endpoint/test_detector.py starts one"
        ),
    },
    "docs/survey.md": {
        "make survey HOST=0.0.0.0 PORT=8000": "serves until stopped; tests/surveying/test_survey_server.py starts it",
        "python -m commands.survey_people delete CODE": "needs a code; tests/commands/test_survey_people.py has one",
        "git filter-repo --invert-paths --path data/survey/CODE.csv": "needs git-filter-repo, and rewrites the history",
        "git push --force --all": "rewrites a remote's history",
    },
    "docs/families.md": {
        "dvc exp run -S profile=chroma -S base.revision=0123456789abcdef0123456789abcdef01234567 "
        "-S collect.source=folder": "needs a GPU and a real commit; tests/test_real_profiles.py runs the profile",
    },
    "docs/labels.md": {
        "python -m commands.survey_people --labels delete CODE": (
            "needs a code; tests/commands/test_survey_people.py deletes one"
        ),
        "make label HOST=0.0.0.0 PORT=8000": "serves until stopped; tests/commands/test_label_commands.py starts it",
    },
    "docs/photographs.md": {
        "make plan PROFILE=sd35-medium SET='collect.source=folder' TRIAL=1": "loads a base that needs a licence",
        "make photograph-models": "fetches 36 MB, as `make test` does first",
        "dvc exp run -S profile=sd35-medium -S collect.source=folder -S 'prompts.target=[sitting on the snow]'": (
            "needs a GPU, and the licence of the base to be accepted; tests/test_real_profiles.py runs the profile"
        ),
        "make label HOST=0.0.0.0 PORT=8000": "serves until stopped; tests/test_people_decide.py labels on the page",
    },
    "docs/rewards.md": {
        "make label": "serves until stopped; tests/commands/test_label_commands.py starts it",
    },
    "docs/scan.md": {"make scan": SCAN_TUTORIAL},
    "docs/tutorial.md": {
        "make scan": SCAN_TUTORIAL,
        "dvc exp run -S profile=scanned": SCAN_TUTORIAL,
        'git add -A && git commit -m "Correct what the scan found"': SCAN_TUTORIAL,
        "make confirm": SCAN_TUTORIAL,
    },
    TEAMS: {
        "sbatch configs/slurm/repro.sbatch": CLUSTER,
        "sky jobs launch configs/skypilot/repro.yaml": CLUSTER,
    },
    "studies/replication/README.md": {
        f"dvc get $repository {what} --rev $commit -o data/paper/images/{where}": NETWORK
        for what, where in (
            ("experiments/outputs", "tuned"),
            ("experiments/comparisons", "base"),
            ("data", "instance"),
        )
    },
    "studies/benchmarks/README.md": {
        "python -m studies.benchmarks.training": HOURS,
        "python -m studies.benchmarks.measures --write": MINUTES,
        "python -m studies.benchmarks.training --diffusers-script PATH --peer-python PATH --write": HOURS,
        "git clone --depth 1 --branch v0.42.1 https://github.com/huggingface/diffusers /tmp/diffusers": NETWORK,
        "python3.11 -m venv /tmp/peer": SECOND_ENVIRONMENT,
        "/tmp/peer/bin/pip install -r requirements/build.lock": SECOND_ENVIRONMENT,
        "/tmp/peer/bin/pip install --no-deps --no-build-isolation -r requirements/base.lock": SECOND_ENVIRONMENT,
        "/tmp/peer/bin/pip install --no-deps -r requirements/torch.lock": SECOND_ENVIRONMENT,
        "/tmp/peer/bin/pip install tensorboard datasets": SECOND_ENVIRONMENT,
        "/tmp/peer/bin/pip install --no-deps torchvision==0.16.2": SECOND_ENVIRONMENT,
    },
}
"""Page -> command -> why no test runs it. test_blocks.py still checks that what it names exists."""


@dataclass(frozen=True)
class Block:
    """A fenced or indented block of code; `page` is a path from the project's root."""

    page: str
    language: str
    body: str

    @property
    def name(self) -> str:
        """Page and first command, for a test's name."""
        return f"{self.page}: {next(iter(self.body.splitlines()), '')}"[:90]

    def lines(self) -> list[str]:
        """Commands without their comments, continued lines joined."""
        joined = self.body.replace("\\\n", " ").splitlines()
        stripped = [re.sub(r"(^|\s)#.*$", "", line).strip() for line in joined]
        return [line for line in stripped if line]

    def runnable(self) -> list[str]:
        """The commands that a test runs; in a block of Python, all lines."""
        return [line for line in self.lines() if line not in NOT_RUN.get(self.page, {})]


def blocks() -> list[Block]:
    """Every block of every page, in order. An indented one is shell; a fence without a language is a drawing."""
    parser = MarkdownIt()
    return [
        Block(str(page.relative_to(ROOT)), token.info.split(" ")[0] or "sh", token.content)
        for page in PAGES
        for token in parser.parse(page.read_text())
        if token.type == "code_block" or (token.type == "fence" and token.info)
    ]


def commands(block: Block) -> Iterator[list[str]]:
    """Words of each command of a shell block; assignments before a command are dropped."""
    for line in block.lines():
        for part in re.split(r"\s&&\s|\s\|\s", line):
            words = shlex.split(part)
            while words and re.fullmatch(r"\w+=.*", words[0]):
                words.pop(0)
            if words:
                yield words
