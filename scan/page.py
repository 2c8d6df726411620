"""Stage `scan_report`: the page on which a scan is read."""

from __future__ import annotations

import pandas as pd

from anomend.pictures.image_sets import METADATA, read_imagefolder, rows_of
from anomend.project import paths
from anomend.project.files import write_whole
from anomend.project.metric_files import read_metrics
from anomend.project.run import run_stage
from anomend.reporting.scan_page import EXAMPLE_COLUMNS, render_scan


def main() -> None:
    # A scan whose first images wait for people's labels has no example yet.
    none = not rows_of(paths.SCANNED / METADATA)
    examples = pd.DataFrame(columns=list(EXAMPLE_COLUMNS)) if none else read_imagefolder(paths.SCANNED)
    write_whole(paths.REPORT / "scan.html", render_scan(read_metrics(paths.METRICS / "scan.json"), examples))


if __name__ == "__main__":
    run_stage("scan_report", main)
