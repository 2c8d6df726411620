"""The comment on a pull request: whose results, by which rules, what moved, and what a reviewer should look at."""

from __future__ import annotations

import json
import math
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anomend.params.profiles import resolve
from anomend.params.resolved import split
from anomend.project.dvc_command import dvc
from anomend.project.model_words import BASE_AND_TUNED, words_in
from anomend.project.paths import CONFIRMATIONS, PARAMS, PROFILES, RESOLVED
from anomend.project.yaml_files import read_yaml
from anomend.reporting.confirmations import all_confirmations
from anomend.reporting.formatting import change_text, interval_text, metric_text
from anomend.reporting.measures import is_share, measure_label, measures_of, reading
from anomend.reporting.opening import VERDICTS
from anomend.reporting.rule_changes import RuleChange, rule_changes
from anomend.reporting.templating import TEMPLATES, markdown_environment
from anomend.verdict.decision import EXPLORATORY
from anomend.verdict.headline import deciding_rates

READS = ("templates/pull_request.md.jinja",)
"""Files that this module reads: a change of them is a change of its code."""
LIMIT = 65_000
"""Characters; GitHub refuses comments of more than 65,536."""
MARKER = "<!-- anomend report -->"
"""By which the workflow finds its own comment again."""
MOST_PROBLEMS, MOST_MOVED = 5, 8
PICTURES = {"changes.png": "Newly broken and fixed", "side_by_side.png": "The first seeds"}


@dataclass(frozen=True)
class Moved:
    """A measure whose change from base to tuned is not what it was, beyond the noise of both runs."""

    label: str
    before: str
    after: str


def pull_request_comment(folder: Path, *, base: str, images: str, problems: Sequence[str] = ()) -> str:
    """The comment as Markdown, about the results in a checkout.

    Args:
        folder: root of the checkout, with committed metrics and report.
        base: revision that the pull request goes to, such as origin/main.
        images: address under which the pictures are linked: of a GitHub blob view of the commit, which also shows in
            private repositories to those who may read them, or of a folder.
        problems: why the results do not belong to the commit, as `commands.check_results` says; none: they do.

    Returns:
        At most `LIMIT` characters, of which at most 40 lines come before the first fold.

    Raises:
        ValueError: there is no such revision, or results are missing.
    """
    verdict, compare = _read_metrics(folder, "verdict"), _read_metrics(folder, "compare")
    at_base = {name: _at(folder, base, f"metrics/{name}.json") for name in ("verdict", "compare")}
    template = markdown_environment(TEMPLATES).get_template("pull_request.md.jinja")
    report, parameters = _read_report(folder, images), _diff("params", base, folder)

    def render(report: str, params_diff: str) -> str:
        return template.render(
            marker=MARKER,
            base=base,
            problems=problems[:MOST_PROBLEMS],
            more_problems=max(0, len(problems) - MOST_PROBLEMS),
            words=VERDICTS[verdict["verdict"]],
            revision=_revision(folder, base),
            decides=verdict.get("decides", ""),
            reasons=_against(verdict, _tuned_model(folder)),
            quick=verdict.get("exploratory"),
            before=VERDICTS.get((at_base["verdict"] or {}).get("verdict", ""), "no verdict"),
            confirmation=verdict.get("confirmation"),
            lora=_lora_sentence(folder, base),
            tuned_model=_tuned_model(folder),
            models=words_in(_sampled(folder)),
            confirmations=all_confirmations(folder / CONFIRMATIONS, _lora(folder)),
            rules=changed_rules(folder, base),
            target=_sentence("target", folder, verdict, compare),
            held_out=_sentence("held_out", folder, verdict, compare),
            worse=[measure_label(name) for name, measure in measures_of(compare) if reading(measure) == "worse"],
            moved=moved_measures(at_base["compare"] or {}, compare)[:MOST_MOVED],
            pictures={
                _address(images, name): alt for name, alt in PICTURES.items() if (folder / "report" / name).exists()
            },
            params_diff=params_diff,
            report=report,
        )

    link = "It is `report/report.md` of this commit."
    versions = [render(report, parameters), render(link, parameters), render(link, "")]
    return next((text for text in versions if len(text) <= LIMIT), versions[-1][:LIMIT])


def _against(verdict: Mapping[str, Any], tuned_model: str) -> list[str]:
    """The sentences of the clauses that are not met or not settled; none where the verdict is `corrected`."""
    told = (EXPLORATORY, tuned_model, verdict.get("decides"))
    return [] if verdict["verdict"] == "corrected" else [one for one in verdict["reasons"] if one not in told]


def changed_rules(folder: Path, base: str) -> list[RuleChange]:
    """The rules of the verdict that differ from the base's, by params.yaml itself: the recorded ones may be stale."""
    before = _at(folder, base, str(RESOLVED)) or {}
    after, _ = split(resolve(read_yaml(folder / PARAMS), folder / PROFILES))
    return rule_changes(before, after)


def moved_measures(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Moved]:
    """Measures whose change moved by more than the two runs' intervals allow together.

    The half-widths of two independent intervals add as squares; runs at the same seeds vary together, so less would do.
    """
    earlier, moved = dict(measures_of(before)), []
    for name, measure in measures_of(after):
        old = earlier.get(name)
        if old is None or any(
            each.get(key) is None for each in (old, measure) for key in ("delta", "ci_low", "ci_high")
        ):
            continue
        widths = [(each["ci_high"] - each["ci_low"]) / 2 for each in (old, measure)]
        if abs(measure["delta"] - old["delta"]) > math.hypot(*widths):
            moved.append(Moved(measure_label(name), _change(name, old), _change(name, measure)))
    return moved


def _lora_sentence(folder: Path, base: str) -> str:
    """Whether the weights are new, which no figure tells."""
    here, there = _lora(folder), (_at(folder, base, "metrics/train.json") or {}).get("lora_sha256", "")
    if not (here and there):
        return f"LoRA {here[:12]}." if here else ""
    return f"LoRA {here[:12]}, {'the same as' if here == there else 'another than'} on {base}."


def _lora(folder: Path) -> str:
    """SHA-256 of the LoRA that the results are about; empty where there is none."""
    path = folder / "metrics" / "train.json"
    return str(json.loads(path.read_text()).get("lora_sha256", "")) if path.is_file() else ""


def _sampled(folder: Path) -> Mapping[str, Any]:
    """The content of metrics/sample_tuned.json; empty where it is not there."""
    path = folder / "metrics" / "sample_tuned.json"
    return json.loads(path.read_text()) if path.is_file() else {}


def _tuned_model(folder: Path) -> str:
    """What the tuned model is where it is not just a LoRA, and what it takes; else empty."""
    return str(_sampled(folder).get("tuned_model", ""))


def _change(name: str, measure: Mapping[str, Any]) -> str:
    if is_share(name):
        return f"{change_text(measure)} ({interval_text(measure, 'points')})"
    return f"{metric_text(measure, 'delta', 'signed')} ({interval_text(measure, 'signed')})"


def _sentence(group: str, folder: Path, verdict: Mapping[str, Any], compare: Mapping[str, Any]) -> str:
    """The rates of a group that the verdict rests on: the detector's, or people's."""
    path = folder / "metrics" / "people.json"
    people = json.loads(path.read_text()) if path.is_file() else None
    rates = deciding_rates(f"anomaly_rate_{group}", verdict=verdict, compare=compare, people=people)
    rates = rates or {"reason": "not measured"}
    before, after = (metric_text(rates, model, "rate") for model in ("base", "tuned"))
    words = words_in(_sampled(folder))
    when = ("before", "after") if words == BASE_AND_TUNED else (f"with {words.base_model}", f"with {words.tuned_model}")
    change = f"{change_text(rates)}; interval {interval_text(rates, 'points')}"
    return f"{before} wrong {when[0]}, {after} {when[1]} ({change})"


def _revision(folder: Path, name: str) -> str:
    """A revision with its commit, so that the comment keeps its meaning when the branch moves."""
    words = ["git", "rev-parse", "--short=8", f"{name}^{{commit}}"]
    commit = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False).stdout.strip()
    return f"{name} ({commit})" if commit and not name.startswith(commit) else name


def _address(images: str, name: str) -> str:
    return f"{images.rstrip('/')}/report/{name}" + ("?raw=true" if "/blob/" in images else "")


def _at(folder: Path, revision: str, path: str) -> Any:
    """A JSON file at a revision; None where it was not there."""
    known = subprocess.run(
        ["git", "rev-parse", "--quiet", "--verify", f"{revision}^{{commit}}"],
        cwd=folder,
        capture_output=True,
        check=False,
    )
    if known.returncode:
        raise ValueError(f"there is no revision {revision!r} here: fetch it, or pass another with --base")
    shown = subprocess.run(["git", "show", f"{revision}:{path}"], cwd=folder, capture_output=True, check=False)
    return json.loads(shown.stdout) if shown.returncode == 0 else None


def _read_metrics(folder: Path, name: str) -> Any:
    path = folder / "metrics" / f"{name}.json"
    if not path.is_file():
        raise ValueError(f"{path} is missing: run `dvc repro` and commit its metrics")
    return json.loads(path.read_text())


def _read_report(folder: Path, images: str) -> str:
    path = folder / "report" / "report.md"
    if not path.is_file():
        raise ValueError(f"{path} is missing: run `dvc repro` and commit it")
    return path.read_text().replace("](side_by_side.png)", f"]({_address(images, 'side_by_side.png')})")


def _diff(kind: str, base: str, folder: Path) -> str:
    """DVC's Markdown table of the resolved parameters that changed; empty where none did."""
    lines = dvc(kind, "diff", base, "--md", "--targets", str(RESOLVED), cwd=folder).strip().splitlines()
    has_rows = len(lines) > 2
    return "\n".join(lines) if has_rows else ""
