"""Label pictures with Label Studio or Rapidata: `python -m commands.label_tools export|import TOOL FILE`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from anomend.labelling import label_studio, rapidata
from anomend.labelling.other_tools import ShownPicture, rater_key
from anomend.labelling.records import COLUMNS, label_csv
from anomend.labelling.texts import read_texts
from anomend.params.labels import LabelParams
from anomend.params.resolved import load_params
from anomend.project.files import write_whole
from anomend.project.paths import LABEL_KEY, LABEL_PAGE, RATER_KEY
from anomend.surveying.key import LabelKey, read_key
from anomend.surveying.label_site import shown_names

TOOLS = ("label-studio", "rapidata")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="label_tools", description="Label pictures with another tool.")
    parser.add_argument("action", choices=("export", "import"), help="write what the tool reads, or read its results")
    parser.add_argument("tool", choices=TOOLS)
    parser.add_argument("file", type=Path, metavar="FILE", help="JSON: what to write, or the tool's results")
    parser.add_argument("--images", help="export: what stands before a picture's file name in its address")
    parser.add_argument("--language", help="export: of the question; label.languages' first by default")
    parser.add_argument("--name", help="import: the file's name in label.labels; the tool's name by default")
    options = parser.parse_args(arguments)
    params, key = load_params().label, read_key(LABEL_KEY, LabelKey)
    names = shown_names(LABEL_PAGE, key)
    pictures = {name: ShownPicture(one.picture, one.gold) for name, one in names.items()}
    if options.action == "export":
        for path in _export(options, pictures, params):
            print(f"written: {path}")
    else:
        print(f"stored as {_import(options, pictures, params)}")


def _export(options: argparse.Namespace, pictures: dict[str, ShownPicture], params: LabelParams) -> list[Path]:
    texts = read_texts([options.language or params.languages[0]])[0]
    if options.tool == "rapidata":
        images = options.images if options.images is not None else f"{LABEL_PAGE}/images/"
        content: Any = rapidata.job(pictures, texts, images=images, responses=params.raters_per_picture)
        written = [options.file]
    else:
        content = label_studio.tasks(pictures, texts, images=options.images or label_studio.LOCAL_FILES)
        written = [options.file, options.file.with_suffix(".xml")]
        write_whole(written[1], label_studio.interface(texts))
    write_whole(options.file, json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    return written


def _import(options: argparse.Namespace, pictures: dict[str, ShownPicture], params: LabelParams) -> Path:
    try:
        content = json.loads(options.file.read_text(encoding="utf-8-sig"))
        texts = read_texts(params.languages)
        if options.tool == "rapidata":
            rows = rapidata.labels_from_results(content, pictures, texts=texts)
        else:
            rows = label_studio.labels_from_export(content, pictures, key=rater_key(RATER_KEY), texts=texts)
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise ValueError(f"{options.file} is not in {options.tool}'s documented format ({error!r})") from None
    except ValueError as error:
        raise ValueError(f"{options.file} is not imported: {error}") from None
    path = Path(params.labels) / f"{options.name or options.tool}.csv"
    table = label_csv(path, pd.DataFrame(rows, columns=list(COLUMNS)))
    earlier = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    if set(earlier) - set(table.splitlines()):
        raise ValueError(f"{path} holds labels that {options.file} does not: give the import another --name")
    write_whole(path, table)
    return path


if __name__ == "__main__":
    try:
        main()
    except (ValueError, OSError) as error:
        print(f"label_tools: {error}", file=sys.stderr)
        sys.exit(1)
