"""Print the verdict, the main metrics and the report's path: `python -m commands.summary`, the end of `make repro`."""

from __future__ import annotations

from typing import Any

from anomend.project.metric_files import read_metrics
from anomend.project.model_words import ModelWords, words_in
from anomend.project.paths import METRICS, REPORT

SHOWN = ("anomaly_rate_target", "anomaly_rate_held_out", "diversity", "ssim_within", "psnr_within")
SIBLINGS = "anomaly_rate_siblings"
"""Of runs that have some."""


def _line(name: str, effect: dict[str, Any], words: ModelWords) -> str:
    if effect.get("delta") is None:
        return f"  {name:<22} n/a ({effect.get('reason')})"
    values = f"{words.base} {effect['base']:.4f}  {words.tuned} {effect['tuned']:.4f}"
    line = f"  {name:<22} {values}  change {effect['delta']:+.4f}"
    if effect.get("ci_low") is not None:
        line += f"  [{effect['ci_low']:+.4f}, {effect['ci_high']:+.4f}]"
    return line


def main() -> None:
    verdict, compare = read_metrics(METRICS / "verdict.json"), read_metrics(METRICS / "compare.json")
    words = words_in(read_metrics(METRICS / "sample_tuned.json"))
    exploratory = " (a quick run, which proves nothing)" if verdict.get("exploratory") else ""
    print(f"\nverdict: {verdict['verdict']}{exploratory}")
    for reason in verdict["reasons"]:
        print(f"  - {reason}")
    for name in (*SHOWN, *([SIBLINGS] if SIBLINGS in compare else [])):
        print(_line(name, compare[name], words))
    print(f"report: {REPORT / 'report.html'} (for a pull request: {REPORT / 'report.md'})")


if __name__ == "__main__":
    main()
