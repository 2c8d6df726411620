"""Gold pictures: the user's own, of which it is known whether anything is wrong."""

from __future__ import annotations

from pathlib import Path

from anomend.labelling.plans import Gold
from anomend.project.files import sha256_of
from anomend.project.hand_edited import read_table

TABLE = "gold.csv"
ANSWERS: dict[str, Gold] = {"nothing": "nothing", "wrong": "wrong"}


def read_gold(folder: Path) -> dict[Path, Gold]:
    """The gold pictures of a folder with their answers, by `gold.csv` (columns file, answer) in it.

    Raises:
        ValueError: the table is missing or broken, an answer is neither nothing nor wrong, or a file is missing, is
            outside the folder, or is there twice.
    """
    gold: dict[Path, Gold] = {}
    digests: set[str] = set()
    for line in read_table(folder / TABLE, ("file", "answer")):
        path = folder / line["file"]
        if not path.resolve().is_relative_to(folder.resolve()) or not path.is_file():
            raise line.problem(
                f"names {line['file']!r}, which is not a file in {folder}: put it there, or fix the name"
            )
        answer = ANSWERS.get(line["answer"])
        if answer is None:
            raise line.problem(f"has answer = {line['answer']!r}: write nothing or wrong")
        digest = sha256_of(path)
        if digest in digests:
            raise line.problem(f"names {line['file']!r}, a picture that is in the table already: keep one")
        digests.add(digest)
        gold[path] = answer
    return gold
