"""docs/dependencies.md: every locked package that `make setup` installs, with its licence: `make docs`."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

from packaging.requirements import Requirement

from anomend.project.lock import LOCKS, canonical, public_version, requirement_blocks

INSTALLED = ("base", "dev", "torch", "build")
"""The lock files that `make setup` installs everywhere."""
COPYLEFT = re.compile(r"\b(A?GPL|LGPL|MPL|GNU|Mozilla)", re.IGNORECASE)
INTRO = """# Dependencies and their licences

Every locked package that `make setup` installs, with the licence that it names; `make docs` writes this page. Anomend
imports them unchanged. It ships only [jsPsych](../anomend/surveying/page/jspsych/LICENSE) (MIT), in the survey's page.
`make photograph-models` fetches MediaPipe's networks (Apache-2.0). Weights of base models and of feature extractors
have their own licences, which are named where they are pinned.

A CUDA build of torch also needs the packages of `requirements/cuda.lock`, most of them NVIDIA's, under NVIDIA's own
licences. The extras `gpu`, `s3`, `torchvision` and `trackers` have one lock file each:
`make setup EXTRAS="gpu trackers"`.

`make audit` checks the locked versions against the known vulnerabilities (pip-audit, in an environment of its own; it
needs the network, and fails where a package could not be checked). The workflow on pull requests runs it.
`configs/audit_ignored.txt` lists the findings that it leaves out, each with the reason.
"""


def installed_packages(folder: Path = LOCKS) -> dict[str, str]:
    """The packages that `make setup` installs on this platform: canonical name -> public version."""
    blocks = [requirement_blocks((folder / f"{name}.lock").read_text(encoding="utf-8")) for name in INSTALLED]
    requirements = [Requirement(block.split("\\")[0]) for found in blocks for block in found.values()]
    return {
        canonical(requirement.name): public_version(str(requirement.specifier).removeprefix("=="))
        for requirement in sorted(requirements, key=lambda requirement: canonical(requirement.name))
        if requirement.marker is None or requirement.marker.evaluate()
    }


def licence(name: str) -> str:
    """The licence that a package names: its SPDX expression, else its classifiers, else the first line of its text."""
    try:
        message = metadata(name)
    except PackageNotFoundError:
        return "not installed here"
    # The keys of a message: a missing one is None.
    if expression := message["License-Expression"]:
        return expression
    classifiers = [str(line) for line in message.get_all("Classifier") or [] if "License ::" in line]
    names = [line.rsplit("::", 1)[-1].strip() for line in classifiers]
    stated = str(message["License"] or "").strip().splitlines()
    return "; ".join(name for name in names if name != "OSI Approved") or (stated[0][:80] if stated else "not stated")


def table(licences: dict[str, tuple[str, str]]) -> str:
    """Markdown rows of name -> (version, licence)."""
    rows = [f"| {name} | {version} | {named.replace('|', '/')} |" for name, (version, named) in licences.items()]
    return "\n".join(["| package | version | licence |", "|---|---|---|", *rows])


def document(packages: dict[str, str]) -> str:
    """The whole page, for packages by name with their versions."""
    licences = {name: (version, licence(name)) for name, version in packages.items()}
    copyleft = {name: row for name, row in licences.items() if COPYLEFT.search(row[1])}
    return "\n".join(
        [
            INTRO,
            "## Copyleft",
            "",
            "These bind anyone who passes on changed copies of them; importing them unchanged does not.",
            "",
            table(copyleft),
            "",
            "## All",
            "",
            table(licences),
            "",
        ]
    )


if __name__ == "__main__":
    print(document(installed_packages()), end="")
