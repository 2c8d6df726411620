"""docs/dependencies.md: every locked dependency with its licence, from what is installed: `make docs`."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

LOCK = Path("requirements.lock")
COPYLEFT = re.compile(r"\b(A?GPL|LGPL|MPL|GNU|Mozilla)", re.IGNORECASE)
INTRO = """# Dependencies and their licences

Written by `make docs` from the metadata of the locked packages (`requirements.lock`). Anomend imports them and changes
none; it ships none of them, but for [jsPsych](../anomend/surveying/page/jspsych/LICENSE) (MIT) in the survey's page.
MediaPipe's networks (Apache-2.0) are fetched by `make photograph-models`; weights of base models and of feature
extractors have licences of their own, named where they are pinned.

`make audit` looks the locked versions up among the known vulnerabilities (pip-audit, in an environment of its own; it
needs the network, and fails where a package could not be looked up). The workflow on pull requests runs it.
`configs/audit_ignored.txt` lists what it leaves out, each finding with the reason.
"""


def locked(lock: str) -> dict[str, str]:
    """Name -> version of each line `name==version`."""
    found = (line.split("==", 1) for line in lock.splitlines() if "==" in line and not line.startswith("#"))
    return {name.strip(): version.split(";")[0].strip() for name, version in found}


def licence(name: str) -> str:
    """The licence that a package names: its SPDX expression, else its classifiers, else the first line of its text."""
    try:
        found = metadata(name)
    except PackageNotFoundError:
        return "not installed here"
    # The keys of a message: a missing one is None.
    if expression := found["License-Expression"]:
        return expression
    classifiers = [str(line) for line in found.get_all("Classifier") or [] if "License ::" in line]
    names = [line.rsplit("::", 1)[-1].strip() for line in classifiers]
    stated = str(found["License"] or "").strip().splitlines()
    return "; ".join(name for name in names if name != "OSI Approved") or (stated[0][:80] if stated else "not stated")


def table(licences: dict[str, tuple[str, str]]) -> str:
    """Markdown rows of name -> (version, licence)."""
    rows = [f"| {name} | {version} | {named.replace('|', '/')} |" for name, (version, named) in licences.items()]
    return "\n".join(["| package | version | licence |", "|---|---|---|", *rows])


def document(lock: str) -> str:
    """The whole page."""
    licences = {name: (version, licence(name)) for name, version in locked(lock).items()}
    bound = {name: found for name, found in licences.items() if COPYLEFT.search(found[1])}
    return "\n".join(
        [
            INTRO,
            "## Copyleft",
            "",
            "These bind whoever passes on changed copies of them; importing them as they are does not.",
            "",
            table(bound),
            "",
            "## All",
            "",
            table(licences),
            "",
        ]
    )


if __name__ == "__main__":
    print(document(LOCK.read_text()), end="")
