"""The comment under a pull request: verdict, what changed in figures and parameters, and the run's own report."""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from anomend.project.dvc_command import dvc

LIMIT = 65_000
"""GitHub refuses comments of more than 65,536 characters."""

DECIDING = re.compile(r"^(anomaly_rate_|diversity$|ssim_within$|psnr_within$)")

TEMPLATE = """\
## {{ verdict.verdict }}

{% for reason in verdict.reasons %}
- {{ reason }}
{% endfor %}

### Measures, tuned against base

| measure | better | base | tuned | change | 95% interval | p | n |
| --- | --- | --- | --- | --- | --- | --- | --- |
{% for name, effect in measures %}
{% set interval = effect.ci_low | number ~ " to " ~ effect.ci_high | number %}
| {{ name }} | {{ effect.better }} | {{ effect.base | number }} | {{ effect.tuned | number }} |
{{- " " }}{{ effect.delta | number }} | {{ interval }} | {{ effect.p | number }} | {{ effect.n }} |
{% endfor %}

### This commit against {{ base }}

{% if verdict_diff %}
{{ verdict_diff }}

{% else %}
The verdict and its figures are the same as on {{ base }}.

{% endif %}
{% if metrics_diff %}
<details><summary>Every metric that changed</summary>

{{ metrics_diff }}

</details>

{% endif %}
{% if params_diff %}
<details open><summary>Parameters that changed</summary>

{{ params_diff }}

</details>
{% else %}
No parameter changed.
{% endif %}

<details><summary>The run's report</summary>

{{ report }}

</details>
"""


def number(value: object) -> str:
    """Four significant digits, or n/a where a figure could not be computed."""
    return f"{value:.4g}" if isinstance(value, int | float) else "n/a"


def one_header(table: str) -> str:
    """A Markdown table of DVC, or nothing where it has no rows."""
    lines = table.strip().splitlines()
    return "\n".join(lines) if len(lines) > 2 else ""


def comment(folder: Path, base: str, images: str) -> str:
    """The comment as Markdown, of the results that lie in a checkout.

    Args:
        folder: root of the checkout, with committed metrics and report.
        base: revision that the pull request goes to, such as origin/main.
        images: address that the report's pictures are linked under, such as a raw view of the commit.

    Raises:
        ValueError: DVC knows no such revision, or results are missing.
    """

    def read(name: str) -> Any:
        path = folder / "metrics" / f"{name}.json"
        if not path.is_file():
            raise ValueError(f"{path} is missing: run `dvc repro` and commit its metrics")
        return json.loads(path.read_text())

    report_file = folder / "report" / "report.md"
    if not report_file.is_file():
        raise ValueError(f"{report_file} is missing: run `dvc repro` and commit it")
    report = report_file.read_text().replace("](side_by_side.png)", f"]({images.rstrip('/')}/report/side_by_side.png)")
    measures = [
        (name, effect)
        for name, effect in read("compare").items()
        if DECIDING.match(name) and isinstance(effect, dict) and "delta" in effect
    ]
    environment = Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False)
    environment.filters["number"] = number

    diff = ("diff", base, "--md")
    verdict_diff = one_header(dvc("metrics", *diff, "--targets", "metrics/verdict.json", cwd=folder))
    params_diff = one_header(dvc("params", *diff, "--targets", "params.resolved.yaml", cwd=folder))

    def rendered(report: str, metrics_diff: str) -> str:
        return environment.from_string(TEMPLATE).render(
            verdict=read("verdict"),
            measures=measures,
            base=base,
            verdict_diff=verdict_diff,
            metrics_diff=metrics_diff,
            params_diff=params_diff,
            report=report,
        )

    changed = one_header(dvc("metrics", "diff", base, "--md", cwd=folder))
    elsewhere = "It is `report/report.md` of this commit."
    tries = [rendered(*parts) for parts in ((report, changed), (elsewhere, changed), (elsewhere, ""))]
    return next((text for text in tries if len(text) <= LIMIT), tries[-1][:LIMIT])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", default="origin/main", help="revision that the pull request goes to")
    parser.add_argument("--images", default=".", help="address that the report's pictures are linked under")
    parser.add_argument("--out", type=Path, default=Path("pull_request.md"))
    options = parser.parse_args()
    try:
        options.out.write_text(comment(Path.cwd(), options.base, options.images))
    except ValueError as error:
        sys.exit(f"comment: {error}")
    print(f"wrote {options.out}")


if __name__ == "__main__":
    main()
