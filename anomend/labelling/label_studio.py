"""Label Studio's formats: tasks and labelling interface to import there, and its JSON export to import here.

https://labelstud.io/guide/task_format and https://labelstud.io/tags/keypointlabels describe them. Choices and labels
have aliases, so that a result has the same words in every language.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree import ElementTree

from anomend.labelling.other_tools import ShownPicture, label_row, opaque_rater, picture_named
from anomend.labelling.records import place
from anomend.labelling.texts import Texts

LOCAL_FILES = "/data/local-files/?d=images/"
"""How Label Studio serves files of its own machine, here of a folder `images` below its document root."""


def tasks(pictures: Mapping[str, ShownPicture], texts: Texts, *, images: str = LOCAL_FILES) -> list[dict[str, Any]]:
    """Tasks to import there, one per picture, in the order of the blind names.

    Args:
        pictures: by blind file name.
        texts: the language of the interface; its version comes back with the results.
        images: what stands before a file's name in its address.
    """
    return [{"data": {"image": f"{images}{name}", "texts": texts.version}} for name in sorted(pictures)]


def interface(texts: Texts) -> str:
    """The labelling interface (XML) that asks our question."""
    asked = texts.content["asked"]
    view = ElementTree.Element("View")
    ElementTree.SubElement(view, "Header", value=asked["question"])
    for line in asked["guide"]:
        ElementTree.SubElement(view, "Text", name=f"guide{len(view)}", value=line)
    ElementTree.SubElement(view, "Image", name="image", value="$image", zoom="true", zoomControl="true")
    choices = ElementTree.SubElement(view, "Choices", name="answer", toName="image", choice="single", required="true")
    for answer, text in asked["answers"].items():
        ElementTree.SubElement(choices, "Choice", value=text, alias=answer)
    points = ElementTree.SubElement(view, "KeyPointLabels", name="kind", toName="image")
    for kind, text in asked["kinds"].items():
        ElementTree.SubElement(points, "Label", value=text, alias=kind)
    ElementTree.indent(view)
    return ElementTree.tostring(view, encoding="unicode") + "\n"


def labels_from_export(
    export: Any, pictures: Mapping[str, ShownPicture], *, key: bytes, texts: Sequence[Texts]
) -> list[dict[str, Any]]:
    """The labels in a JSON export.

    Args:
        export: the parsed file: a list of tasks with their annotations.
        pictures: by blind file name.
        key: with which the ids of raters are hashed.
        texts: all languages. Their words are understood as well as the aliases; the first one's version stands for
            tasks that name none.

    Returns:
        Rows of `records.COLUMNS`. Skipped tasks give none.

    Raises:
        ValueError: the file is not such an export, or an annotation has no answer.
    """
    if not isinstance(export, list) or not all(isinstance(task, dict) and "data" in task for task in export):
        raise ValueError("it is not Label Studio's JSON export: export the project as JSON, not as JSON-MIN or CSV")
    meanings = {
        text: word
        for language in texts
        for part in ("answers", "kinds")
        for word, text in language.content["asked"][part].items()
    }
    rows = []
    for task in export:
        shown = picture_named(task["data"].get("image"), pictures)
        for annotation in task.get("annotations", []):
            if annotation.get("was_cancelled"):
                continue
            answer, marks = _read(annotation.get("result", []), f"annotation {annotation.get('id')}")
            seconds = annotation.get("lead_time")
            row = label_row(
                shown,
                rater=opaque_rater("label-studio", _person(annotation.get("completed_by")), key),
                answer=meanings.get(answer, answer),
                marks=[(meanings.get(kind, kind), where) for kind, where in marks],
                milliseconds=None if seconds is None else round(1000 * seconds),
                texts=str(task["data"].get("texts") or texts[0].version),
            )
            rows.append(row)
    return rows


def _read(results: list[dict[str, Any]], where: str) -> tuple[str, list[tuple[str, str]]]:
    """The answer, and the marks as (kind, place)."""
    answers = [one["value"]["choices"][0] for one in results if one.get("type") == "choices"]
    points = [one["value"] for one in results if one.get("type") == "keypointlabels"]
    if len(answers) != 1:
        raise ValueError(f"{where} has {len(answers)} answers: it needs one choice out of nothing, unsure and wrong")
    # Percent of the picture's sides; a point on the edge may come out a hair beyond it.
    marks = [
        (str(point["keypointlabels"][0]), place(*(min(1.0, max(0.0, point[side] / 100)) for side in "xy")))
        for point in points
    ]
    return str(answers[0]), marks


def _person(completed_by: object) -> str:
    """Who made an annotation: the id, alone or in an object with the address, which is not used."""
    return str(completed_by.get("id") if isinstance(completed_by, dict) else completed_by)
