"""From collected images to kept ones: one function that curates, and the functions that write its result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm import tqdm

from anomend.curating.contact_sheet import Entry, write_sheet
from anomend.curating.decisions import check_names, read_decisions
from anomend.curating.framing import framed
from anomend.curating.selection import Candidate, Examination, Selection, advice, examine, rejections, select
from anomend.detectors.table import detector_for, make_detector
from anomend.params.detectors import DetectorParams
from anomend.params.images import CurateParams
from anomend.pictures.image_sets import ImageFolderWriter, load_image


@dataclass(frozen=True, kw_only=True)
class Curation:
    """A curated set of images; all three lists are in the order of the table of collected images."""

    candidates: list[Candidate]
    examinations: list[Examination]
    selections: list[Selection]

    @property
    def kept(self) -> int:
        """How many images are kept."""
        return sum(selection.kept for selection in self.selections)

    @property
    def detectors(self) -> list[str]:
        """The detectors that ran, sorted."""
        return sorted({candidate.detector for candidate in self.candidates})

    def metrics(self) -> dict[str, Any]:
        """The counts for a metric file: collected, kept and rejected images, and rejections by criterion."""
        collected = len(self.candidates)
        counts = {"collected": collected, "kept": self.kept, "rejected": collected - self.kept}
        return {**counts, "reasons": rejections(self.selections)}

    def table(self) -> pd.DataFrame:
        """One row per image: every measurement, rounded to the digits that can be trusted, and the reasons."""
        rows = [_row(*parts) for parts in zip(self.candidates, self.examinations, self.selections, strict=True)]
        return pd.DataFrame(rows).astype({"persons": "Int64", "distance": "Int64"})


def curate(
    table: pd.DataFrame,
    settings: CurateParams,
    *,
    detectors: DetectorParams,
    device: str = "auto",
    resolution: int,
    decisions: Path,
) -> Curation:
    """Examine all collected images, and keep or reject each.

    Args:
        table: of `read_imagefolder`: path, sha256, source and, for a user's pictures, original; for others, model.
        settings: the detector and the thresholds.
        detectors: the models that detectors load.
        device: where those run that can use a GPU.
        resolution: side of a training image in pixels, and least shorter side where the settings name none.
        decisions: CSV of decisions by hand, which win; may be absent.

    Raises:
        ValueError: the decisions cannot be read or name an unknown file, or a detector lacks something.
        FileNotFoundError: a detector's model is missing.
    """
    about = table.reindex(columns=["path", "sha256", "source", "original", "model"]).to_dict("records")
    candidates = [
        Candidate(
            path=row["path"],
            sha256=row["sha256"],
            source=row["source"],
            detector=detector_for(settings.detector, row["source"], row["model"]),
            original=row["original"] if isinstance(row["original"], str) else None,
        )
        for row in about
    ]
    # Before the detectors run, which takes time.
    by_hand = read_decisions(decisions)
    check_names(by_hand, [(candidate.sha256, candidate.original) for candidate in candidates], decisions)
    loaded = {name: make_detector(name, detectors, device) for name in sorted({c.detector for c in candidates})}
    changes = {"min_side": resolution} | {k: v for k, v in settings.criteria.model_dump().items() if v is not None}
    criteria = {name: detector.criteria.overlaid(changes) for name, detector in loaded.items()}
    bar = tqdm(candidates, desc="curating", unit="image")
    examinations = [examine(load_image(c.path), loaded[c.detector], resolution) for c in bar]
    selections = select(candidates=candidates, examinations=examinations, criteria=criteria, decisions=by_hand)
    return Curation(candidates=candidates, examinations=examinations, selections=selections)


def write_curation(curation: Curation, folder: Path) -> None:
    """Write the table of all images to `curation.csv` in a folder, and their contact sheet to `curation.jpg`."""
    folder.mkdir(parents=True, exist_ok=True)
    curation.table().to_csv(folder / "curation.csv", index=False)
    entries = [
        Entry(path=c.path, title=c.path.stem if c.original is None else c.original, kept=s.kept, text=s.text)
        for c, s in zip(curation.candidates, curation.selections, strict=True)
    ]
    write_sheet(folder / "curation.jpg", entries)


def refuse_too_few(curation: Curation, min_kept: int, *, plots: Path, decisions: Path) -> None:
    """Refuse a set with too few kept images, with what they missed and how to keep more.

    Args:
        curation: the curated set.
        min_kept: least number of kept images.
        plots: folder that `write_curation` wrote to.
        decisions: CSV of decisions by hand.

    Raises:
        ValueError: fewer images are kept.
    """
    kept = curation.kept
    if kept < min_kept:
        raise ValueError(
            f"{f'only {kept}' if kept else 'none'} of {len(curation.candidates)} collected images "
            f"{'is' if kept < 2 else 'are'} good enough, curate.min_kept is {min_kept}; {advice(curation.selections)}: "
            f"collect more, set the threshold named, or keep single images in {decisions} (every measurement is in "
            f"{plots / 'curation.csv'}, the images in {plots / 'curation.jpg'})"
        )


def write_instance(curation: Curation, table: pd.DataFrame, folder: Path, *, resolution: int) -> None:
    """Write the kept images, each cut to its square and scaled to `resolution` pixels, as an image set.

    Args:
        curation: the curated set.
        table: the table that it was made from.
        folder: of the image set.
        resolution: side in pixels.
    """
    writer = ImageFolderWriter(folder)
    for row, examination, selection in zip(
        table.to_dict("records"), curation.examinations, curation.selections, strict=True
    ):
        if selection.kept:
            image = framed(load_image(row["path"]), examination.cut, resolution)
            writer.add(str(row["file_name"]), image, **_provenance({str(key): value for key, value in row.items()}))
    writer.close()


def _provenance(row: Mapping[str, Any]) -> dict[str, Any]:
    """What is known of an image, without the file name and digest of its old file, and without the empty cells of other
    sources' columns."""
    dropped = ("file_name", "path", "sha256")
    return {k: v for k, v in row.items() if k not in dropped and (isinstance(v, list) or not pd.isna(v))}


def _row(candidate: Candidate, examination: Examination, selection: Selection) -> dict[str, Any]:
    """One row of the table."""
    metrics = asdict(examination.metrics) | {"anomalies": " ".join(examination.metrics.anomalies)}
    rounded = {name: round(value, 3) if isinstance(value, float) else value for name, value in metrics.items()}
    return {
        "file_name": candidate.path.name,
        "source": candidate.source,
        "original": candidate.original,
        "detector": candidate.detector,
        "kept": int(selection.kept),
        "reasons": selection.text,
        **rounded,
        "hash": str(examination.hashes[0]),
        "distance": selection.distance,
        "by_hand": "" if selection.decision is None else ("keep" if selection.decision.keep else "reject"),
        "sha256": candidate.sha256,
    }
