"""The fingerprints of scripts outside the main pipeline: `python -m commands.code_fingerprints FILE MODULE ...`.

Writes a JSON file with one fingerprint per module, by its last name. The pipelines in studies/ have a stage that calls
this, and the fingerprints are the other stages' dependencies, as stage `resolve` does it for the main pipeline.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from anomend.pipeline.fingerprints import module_fingerprints
from anomend.pipeline.resolved_files import write_files
from anomend.project.run import run_stage


def main(file: Path, modules: list[str]) -> None:
    fingerprints = module_fingerprints(Path.cwd(), {module.rsplit(".", 1)[-1]: [module] for module in modules})
    write_files({file: fingerprints})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m commands.code_fingerprints", description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("modules", nargs="+", metavar="MODULE")
    options = parser.parse_args()
    run_stage("code_fingerprints", partial(main, options.file, options.modules), measured=False)
