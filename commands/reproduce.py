"""Reproduce the committed run in a temporary clone, and compare its results: `make pr-reproduce`.

`python -m commands.reproduce STAGE...` reproduces these stages only.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from anomend.project.fresh_clone import reproduce, verdicts


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m commands.reproduce", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="STAGE", help="stages to reproduce; none: all")
    targets = parser.parse_args().targets
    with tempfile.TemporaryDirectory() as temporary:
        clone = Path(temporary) / "clone"
        try:
            changed = reproduce(Path.cwd(), clone, targets)
        except ValueError as error:
            sys.exit(f"reproduce: {error}")
        committed, reproduced = verdicts(Path.cwd(), clone)
    if changed:
        print("These files differ from the commit (another processor rounds differently):", *changed, sep="\n  ")
    else:
        print("Every committed metric was reproduced.")
    if reproduced != committed:
        sys.exit(f"reproduce: the committed verdict is {committed}, the reproduced one is {reproduced}")
    print(f"The verdict is the committed one: {reproduced}.")


if __name__ == "__main__":
    main()
