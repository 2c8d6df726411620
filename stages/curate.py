"""Stage `curate`: keep the collected images that are good enough to teach the model."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from stages.cli import run_stage
from stages.imagefolder import ImageFolderWriter, load_image, read_imagefolder
from stages.measures.anatomy import assess
from stages.metric_files import METRICS, write_metrics
from stages.params import load_params

COLLECTED, INSTANCE = Path("data/collected"), Path("data/instance")


def main() -> None:
    settings = load_params().curate
    table = read_imagefolder(COLLECTED)
    images = [load_image(path) for path in table["path"]]
    anomalies = assess(images, settings.detector)
    writer = ImageFolderWriter(INSTANCE)
    decisions = []
    for row, image, found in zip(table.drop(columns="path").to_dict("records"), images, anomalies, strict=True):
        decisions.append({"file_name": row["file_name"], "kept": int(not found), "reasons": " ".join(found)})
        if not found:
            provenance = {str(key): value for key, value in row.items() if key not in ("file_name", "sha256")}
            writer.add(str(row["file_name"]), image, **provenance)
    kept = len(writer.rows)
    if kept < settings.min_kept:
        raise ValueError(
            f"only {kept} of {len(table)} collected images are good enough, curate.min_kept is {settings.min_kept}: "
            f"collect more, or look at the reasons: {sorted({d['reasons'] for d in decisions if d['reasons']})}"
        )
    writer.close()
    plot = METRICS / "plots" / "curation.csv"
    plot.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(decisions).to_csv(plot, index=False)
    figures = {"collected": len(table), "kept": kept, "rejected": len(table) - kept}
    write_metrics(METRICS / "curate.json", figures, {"detector": settings.detector})


if __name__ == "__main__":
    run_stage("curate", main)
