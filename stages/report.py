"""Stage `report`: report.md for a pull request, report.html for reading, and the base | tuned picture."""

from __future__ import annotations

from pathlib import Path

from anomend.params.resolved import load_params
from anomend.project import paths
from anomend.project.files import write_whole
from anomend.project.run import run_stage
from anomend.reporting.gallery import changed_rows
from anomend.reporting.made import write_made
from anomend.reporting.other_methods import TABLE
from anomend.reporting.pairs import all_pairs
from anomend.reporting.render import render_report
from anomend.reporting.run_files import RunFiles, read_run
from anomend.reporting.side_by_side import save_side_by_side

PICTURE = "side_by_side.png"
FULL_SIZE = "../data/samples"
"""The images themselves, as seen from the report."""


def main() -> None:
    files = RunFiles(
        metrics=paths.METRICS,
        collected=paths.COLLECTED,
        samples=paths.SAMPLES,
        judgements=paths.JUDGEMENTS,
        paper_judges=paths.PAPER_JUDGES,
        lock=paths.LOCK,
        confirmations=paths.CONFIRMATIONS,
        methods=TABLE,
    )
    run = read_run(files, load_params(), picture=PICTURE, full_size=FULL_SIZE)
    targets = [pair for pair in run.first_pairs if pair.group == "target"]
    save_side_by_side(paths.REPORT / PICTURE, targets, words=run.words)
    changed = changed_rows(all_pairs(run.pairs))
    shown = [pair for row in changed.values() for pair in row]
    save_side_by_side(paths.REPORT / "changes.png", shown or targets[:1], rows=changed or None, words=run.words)
    markdown, html = render_report(run)
    write_whole(paths.REPORT / "report.md", markdown)
    write_whole(paths.REPORT / "report.html", html)
    write_made(paths.REPORT, Path())
    print(f"report: {paths.REPORT / 'report.html'}, {paths.REPORT / 'report.md'}")


if __name__ == "__main__":
    run_stage("report", main)
