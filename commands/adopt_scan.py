"""Print what the scan found, and write its proposal as a profile: `python -m commands.adopt_scan`, the end of
`make scan`."""

from __future__ import annotations

from typing import Any

from anomend.project.metric_files import read_metrics
from anomend.project.paths import METRICS, PARAMS, PROFILES, REPORT
from anomend.project.run import run_stage
from anomend.project.yaml_files import read_yaml
from anomend.scanning.overlays import NAME, write_overlay


def main() -> None:
    scan = read_metrics(METRICS / "scan.json")
    print(
        f"\n{scan['discoveries']} of {scan['prompts_scanned']} prompts are drawn wrong (rate above "
        f"{scan['rules']['limit']:.0%}); {scan['prompts_fine']} are fine, {scan['prompts_open']} unsettled"
    )
    for row in scan["prompts"]:
        if row["status"] != "fine":
            print(f"  {_line(row)}")
    print(f"{scan['images']:,} images; {scan['images_fixed_design']:,} in a design without rounds")
    print(f"report: {REPORT / 'scan.html'}")
    if scan["prompts_waiting"]:
        print(
            f"{scan['prompts_waiting']} prompts wait for people's labels of {scan['provenance']['pictures_to_label']}"
            " pictures: `make label SCAN=1`, then `make scan` again"
        )
    if scan["proposal"]["target"] is None:
        (PROFILES / f"{NAME}.yaml").unlink(missing_ok=True)
        print(f"no correction is proposed: {scan['proposal']['reason']}")
        return
    path = write_overlay(PROFILES, scan["proposal"], read_yaml(PARAMS))
    print(f"proposed correction: {', '.join(scan['proposal']['target'])} ({path})")
    print(f"  dvc exp run -S profile={NAME}")


def _line(row: dict[str, Any]) -> str:
    ends = f"{100 * row['ci_low']:.0f} to {100 * row['ci_high']:.0f}%"
    value = "n/a" if row["value"] is None else f"{row['value']:.0%}"
    return f"{row['status']:<6} {row['prompt']:<40} {value} ({ends}; {row['k']} of {row['n']})"


if __name__ == "__main__":
    run_stage("adopt_scan", main, measured=False)
