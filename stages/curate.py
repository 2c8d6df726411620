"""Stage `curate`: keep the collected images that are good enough to teach the model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm import tqdm

from anomend.curating.contact_sheet import Entry, write_sheet
from anomend.curating.decisions import check_names, read_decisions
from anomend.curating.detectors import DETECTORS, DetectorSettings, Look, detector_for
from anomend.curating.framing import framed
from anomend.curating.selection import Candidate, advice, decide, look_at, rejections, table_row
from anomend.params.images import CurateParams
from anomend.params.resolved import load_params
from anomend.pictures.image_sets import ImageFolderWriter, load_image, read_imagefolder
from anomend.project.metric_files import METRICS, library_versions, write_metrics
from anomend.project.run import run_stage

COLLECTED, INSTANCE = Path("data/collected"), Path("data/instance")
DECISIONS = Path("data/decisions.csv")
PLOTS = METRICS / "plots"


def candidates_in(table: pd.DataFrame, detector: str) -> list[Candidate]:
    """The collected images, each with who looks at it."""
    names = table["original"] if "original" in table else pd.Series([None] * len(table))
    return [
        Candidate(path, sha256, source, detector_for(detector, source), name if isinstance(name, str) else None)
        for path, sha256, source, name in zip(table["path"], table["sha256"], table["source"], names, strict=True)
    ]


def loaded(names: set[str], settings: CurateParams) -> dict[str, Look]:
    """The detectors that are needed, each with its networks loaded once."""
    hub = settings.rtdetr
    paths = DetectorSettings(
        networks=Path(settings.photographs.networks).expanduser(),
        person=(hub.person_model, hub.person_revision),
        pose=(hub.pose_model, hub.pose_revision),
    )
    return {name: DETECTORS[name].make(paths) for name in sorted(names)}


def known(row: Mapping[str, Any]) -> dict[str, Any]:
    """Provenance of an image, without its old file's name and digest and without what another source's images have."""
    dropped = ("file_name", "path", "sha256")
    return {k: v for k, v in row.items() if k not in dropped and (isinstance(v, list) or not pd.isna(v))}


def main() -> None:
    params = load_params()
    settings, resolution = params.curate, params.base.resolution
    table = read_imagefolder(COLLECTED)
    candidates = candidates_in(table, settings.detector)
    # Before anybody looks, which takes time.
    decisions = read_decisions(DECISIONS)
    check_names(decisions, [(candidate.sha256, candidate.original) for candidate in candidates], DECISIONS)
    used = {candidate.detector for candidate in candidates}
    looks = loaded(used, settings)
    asked = {"min_side": resolution} | {k: v for k, v in settings.criteria.model_dump().items() if v is not None}
    criteria = {name: DETECTORS[name].criteria.overlaid(asked) for name in used}
    bar = tqdm(candidates, desc="curating", unit="image")
    seen = [look_at(load_image(candidate.path), looks[candidate.detector]) for candidate in bar]
    verdicts = decide(candidates, seen, criteria, decisions)

    PLOTS.mkdir(parents=True, exist_ok=True)
    rows = [table_row(*parts) for parts in zip(candidates, seen, verdicts, strict=True)]
    whole = {"persons": "Int64", "distance": "Int64"}
    pd.DataFrame(rows).astype(whole).to_csv(PLOTS / "curation.csv", index=False)
    entries = [
        Entry(c.path, c.path.stem if c.original is None else c.original, v.kept, v.text)
        for c, v in zip(candidates, verdicts, strict=True)
    ]
    write_sheet(PLOTS / "curation.jpg", entries)

    kept = sum(verdict.kept for verdict in verdicts)
    if kept < settings.min_kept:
        raise ValueError(
            f"{f'only {kept}' if kept else 'none'} of {len(table)} collected images "
            f"{'is' if kept < 2 else 'are'} good enough, curate.min_kept is {settings.min_kept}; {advice(verdicts)}: "
            f"collect more, set the threshold named, or keep single images in {DECISIONS} (every figure is in "
            f"{PLOTS / 'curation.csv'}, the images in {PLOTS / 'curation.jpg'})"
        )
    writer = ImageFolderWriter(INSTANCE)
    for row, found, verdict in zip(table.to_dict("records"), seen, verdicts, strict=True):
        if verdict.kept:
            image = framed(load_image(row["path"]), found.cut, resolution)
            writer.add(str(row["file_name"]), image, **known({str(key): value for key, value in row.items()}))
    writer.close()
    figures = {"collected": len(table), "kept": kept, "rejected": len(table) - kept, "reasons": rejections(verdicts)}
    provenance = {"detector": ", ".join(sorted(used)), **library_versions("scikit-image", "ImageHash")}
    write_metrics(METRICS / "curate.json", figures, provenance)


if __name__ == "__main__":
    run_stage("curate", main)
