"""Rapidata's formats: a classification job's arguments, and its results.

https://docs.rapidata.ai/understanding_the_results describes the results. They do not tell who answered, so every answer
counts as another rater's, and nothing about the person is kept. Results of `locate` jobs are not read: their format is
not documented.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from anomend.labelling.other_tools import ShownPicture, label_row, picture_named
from anomend.labelling.texts import Texts


def job(pictures: Mapping[str, ShownPicture], texts: Texts, *, images: str, responses: int) -> dict[str, Any]:
    """The arguments of `RapidataClient().job.create_classification_job_definition`.

    Args:
        pictures: by blind file name.
        texts: the language of the question.
        images: what stands before a file's name in its address: a folder or a URL.
        responses: answers per picture.
    """
    asked = texts.content["asked"]
    return {
        "name": asked["question"],
        "instruction": asked["question"],
        "answer_options": list(asked["answers"].values()),
        "datapoints": [f"{images}{name}" for name in sorted(pictures)],
        "responses_per_datapoint": responses,
    }


def labels_from_results(
    results: Any, pictures: Mapping[str, ShownPicture], *, texts: Sequence[Texts]
) -> list[dict[str, Any]]:
    """The labels in the results of a classification job.

    Args:
        results: the parsed file, of the format's version 3 or 4.
        pictures: by blind file name.
        texts: all languages; the one whose answers were offered is found.

    Returns:
        Rows of `records.COLUMNS`, with kinds and times unknown.

    Raises:
        ValueError: the file is not such results, or an answer is none of ours.
    """
    offered = {
        text: (answer, language.version)
        for language in texts
        for answer, text in language.content["asked"]["answers"].items()
    }
    rows = []
    for item in _items(results):
        shown = picture_named(_file_name(item), pictures)
        for number, answer in enumerate(item["detailedResults"]):
            choice = answer.get("selectedCategory", answer.get("votedFor"))
            if choice not in offered:
                raise ValueError(f"the answer {choice!r} is none of ours: offer those of `label_tools export rapidata`")
            meaning, version = offered[choice]
            rater = f"rapidata-{shown.picture[:16]}-{number}"
            rows.append(label_row(shown, rater=rater, answer=meaning, marks=[], milliseconds=None, texts=version))
    return rows


def _items(results: Any) -> list[dict[str, Any]]:
    """One object per picture."""
    content = results.get("results") if isinstance(results, dict) else None
    items = content.get("data") if isinstance(content, dict) else content
    if not isinstance(items, list) or not all(isinstance(item, dict) and "detailedResults" in item for item in items):
        raise ValueError("it is not the results of a Rapidata job with its single answers: save them with `to_json`")
    return items


def _file_name(item: Mapping[str, Any]) -> object:
    """The picture's file name: given as such, or the key of its address."""
    return item.get("originalFileName") or next(iter(item.get("assetUrls") or [""]))
