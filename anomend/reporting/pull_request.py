"""The comment under a pull request: verdict, changed metrics and parameters, and the run's report."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from anomend.confirming.records import read_records
from anomend.project.dvc_command import dvc
from anomend.project.model_words import words_in
from anomend.project.paths import CONFIRMATIONS
from anomend.reporting.templating import TEMPLATES, markdown_environment

READS = ("templates/pull_request.md.jinja",)
"""Files that this module reads: a change of them is a change of its code."""
LIMIT = 65_000
"""Characters; GitHub refuses comments of more than 65,536."""
SHOWN = re.compile(r"anomaly_rate_|diversity$|ssim_within$|psnr_within$")
"""How the names of the shown measures begin."""


def pull_request_comment(folder: Path, *, base: str, images: str) -> str:
    """The comment as Markdown, about the results in a checkout.

    Args:
        folder: root of the checkout, with committed metrics and report.
        base: revision that the pull request goes to, such as origin/main.
        images: address under which the report's pictures are linked, such as a raw view of the commit.

    Returns:
        At most `LIMIT` characters: a long comment links the report, then leaves out the list of all changed metrics.

    Raises:
        ValueError: there is no such revision, or results are missing.
    """
    verdict, compare = _read_metrics(folder, "verdict"), _read_metrics(folder, "compare")
    report, sampled = _read_report(folder, images), folder / "metrics" / "sample_tuned.json"
    words = words_in(json.loads(sampled.read_text()) if sampled.is_file() else None)
    template = markdown_environment(TEMPLATES).get_template("pull_request.md.jinja")

    def render(report: str, metrics_diff: str) -> str:
        return template.render(
            verdict=verdict,
            words=words,
            confirmations=confirmations(folder),
            measures={name: effect for name, effect in compare.items() if _is_shown(name, effect)},
            number=number,
            base=base,
            verdict_diff=verdict_diff,
            metrics_diff=metrics_diff,
            params_diff=params_diff,
            report=report,
        )

    verdict_diff = _diff("metrics", base, folder, targets=["--targets", "metrics/verdict.json"])
    params_diff = _diff("params", base, folder, targets=["--targets", "resolved/params.json"])
    metrics_diff = _diff("metrics", base, folder)
    link = "It is `report/report.md` of this commit."
    versions = [render(report, metrics_diff), render(link, metrics_diff), render(link, "")]
    return next((text for text in versions if len(text) <= LIMIT), versions[-1][:LIMIT])


def confirmations(folder: Path) -> list[str]:
    """A sentence for every confirmation that was recorded in a checkout, whether or not it was computed."""
    sentences = []
    for record in read_records(folder / CONFIRMATIONS):
        path = folder / CONFIRMATIONS / f"{record.attempt:03}" / "verdict.json"
        outcome = json.loads(path.read_text())["verdict"] if path.is_file() else "not computed yet"
        about = f"of the LoRA {record.lora_sha256[:12]}, at the level {record.verdict['level']:g}"
        sentences.append(f"Attempt {record.attempt} {about}: {outcome}.")
    return sentences


def number(value: object) -> str:
    """Four significant digits, or n/a where there is no value."""
    return f"{value:.4g}" if isinstance(value, int | float) else "n/a"


def _is_shown(name: str, effect: Any) -> bool:
    return bool(SHOWN.match(name)) and isinstance(effect, Mapping) and "delta" in effect


def _read_metrics(folder: Path, name: str) -> Any:
    path = folder / "metrics" / f"{name}.json"
    if not path.is_file():
        raise ValueError(f"{path} is missing: run `dvc repro` and commit its metrics")
    return json.loads(path.read_text())


def _read_report(folder: Path, images: str) -> str:
    path = folder / "report" / "report.md"
    if not path.is_file():
        raise ValueError(f"{path} is missing: run `dvc repro` and commit it")
    return path.read_text().replace("](side_by_side.png)", f"]({images.rstrip('/')}/report/side_by_side.png)")


def _diff(kind: str, base: str, folder: Path, targets: list[str] | None = None) -> str:
    """DVC's Markdown table of what changed; empty where nothing did."""
    lines = dvc(kind, "diff", base, "--md", *(targets or []), cwd=folder).strip().splitlines()
    has_rows = len(lines) > 2
    return "\n".join(lines) if has_rows else ""
