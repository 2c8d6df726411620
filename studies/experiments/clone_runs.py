"""Runs of the pipeline in a clone of this checkout, whose stages leave their files behind and are timed.

A stage that was interrupted starts again from nothing: what is timed is the whole of it.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anomend.project.files import sha256_of
from anomend.project.json_files import read_json
from anomend.project.paths import CHECKPOINTS, CODE, SAMPLE_STORE

SHARED = "sample_base"
"""The stage whose samples every run has in common."""


@dataclass(frozen=True)
class CloneRuns:
    """A clone in `folder` that shares DVC's cache and the base's samples with `project`.

    All other samples go to a store of the run's own, where no earlier run left any.
    """

    project: Path
    folder: Path

    @property
    def clone(self) -> Path:
        return self.folder / "clone"

    @property
    def _store(self) -> Path:
        return self.folder / "samples"

    def prepare(self) -> None:
        """Clone the project's commit, or bring the clone to it.

        Raises:
            subprocess.CalledProcessError: git failed; it printed why.
        """
        if not (self.clone / ".git").exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            subprocess.run(["git", "clone", "--quiet", str(self.project), str(self.clone)], check=True)
        commit = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=self.project, check=True, capture_output=True, text=True
        ).stdout.strip()
        for words in (["fetch", "--quiet", str(self.project), commit], ["checkout", "--quiet", "--force", commit]):
            subprocess.run(["git", *words], cwd=self.clone, check=True)
        cache = subprocess.run(
            [sys.executable, "-m", "dvc", "cache", "dir"], cwd=self.project, check=True, capture_output=True, text=True
        ).stdout.strip()
        self._dvc("cache", "dir", "--local", cache)

    def run(self, settings: Sequence[str], stages: Sequence[str], *, timed: Collection[str] = ()) -> dict[str, float]:
        """Reproduce some stages with some settings, one after the other.

        What was timed once is kept: a stage that comes from DVC's cache has the seconds of the call that ran it.

        Args:
            settings: `section.key=value` of each parameter that differs from the committed ones.
            stages: in order; each is reproduced with whatever it depends on that is stale.
            timed: those whose seconds have to be known: one that DVC takes from elsewhere, such as from the project's
                own run, is run again.

        Returns:
            CPU seconds of all processes, by stage, as far as they are known.

        Raises:
            subprocess.CalledProcessError: a stage failed; it printed why.
        """
        subprocess.run(["git", "checkout", "--quiet", "--force", "HEAD", "--", "."], cwd=self.clone, check=True)
        for leftover in (self._store, self.clone / CHECKPOINTS):
            shutil.rmtree(leftover, ignore_errors=True)
        key = self._key(settings)
        seconds, changes = self._seconds(key), list(settings)
        for stage in stages:
            before = _cpu_seconds()
            changes.append(f"sample.store={self.project / SAMPLE_STORE if stage == SHARED else self._store}")
            ran = f"Running stage '{stage}'"
            done = self._dvc("exp", "run", *(word for change in changes for word in ("-S", change)), stage)
            # The first call has written the settings into the clone's params.yaml, where the next ones find them.
            changes.clear()
            if ran not in done and stage in timed and stage not in seconds:
                before = _cpu_seconds()
                done = self._dvc("exp", "run", "--force", "--single-item", stage)
            if ran in done:
                seconds[stage] = round(_cpu_seconds() - before, 1)
                self._keep_seconds(key, seconds)
        return seconds

    def code(self) -> str:
        """The digest of the fingerprints of the clone's code; empty before a first run."""
        fingerprints = self.clone / CODE
        return sha256_of(fingerprints)[:12] if fingerprints.exists() else ""

    def metrics(self, name: str) -> dict[str, Any]:
        """A metric file of the last run."""
        return read_json(self.clone / "metrics" / f"{name}.json")

    def _dvc(self, *words: str) -> str:
        environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
        # Progress goes to the screen, what ran comes back.
        done = subprocess.run(
            [sys.executable, "-m", "dvc", *words],
            cwd=self.clone,
            env=environment,
            check=True,
            text=True,
            stdout=subprocess.PIPE,
        )
        return done.stdout

    def _seconds(self, key: str) -> dict[str, float]:
        return dict(self._all_seconds().get(key, {}))

    def _all_seconds(self) -> dict[str, Any]:
        return read_json(self.folder / "seconds.json") if (self.folder / "seconds.json").exists() else {}

    def _keep_seconds(self, key: str, seconds: dict[str, float]) -> None:
        kept = self._all_seconds() | {key: seconds}
        (self.folder / "seconds.json").write_text(json.dumps(kept, indent=2) + "\n")

    def _key(self, settings: Sequence[str]) -> str:
        """The settings, and the commit's code by its fingerprints: what was timed by other code is timed again."""
        return " ".join(filter(None, [*settings, self.code()]))


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
