"""Stage `scan_report`: the page on which a scan is read."""

from __future__ import annotations

from anomend.pictures.image_sets import read_imagefolder
from anomend.project import paths
from anomend.project.files import write_whole
from anomend.project.metric_files import read_metrics
from anomend.project.run import run_stage
from anomend.reporting.scan_page import render_scan


def main() -> None:
    page = render_scan(read_metrics(paths.METRICS / "scan.json"), read_imagefolder(paths.SCANNED))
    write_whole(paths.REPORT / "scan.html", page)


if __name__ == "__main__":
    run_stage("scan_report", main)
