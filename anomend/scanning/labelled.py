"""The pictures of a scan, judged by people: what they have said, and what they are to label next.

People err, and a scan stops at a few pictures, too few to learn how often. So it takes nobody's word alone: a picture
is wrong where all its raters find something wrong, right where none does, and unclear where they differ or one is not
sure. Unclear pictures count against whatever is to be shown (`rules.Tally`). The error that a scan states therefore
holds as far as a picture is what all its raters agree on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from anomend.diffusion.stored_sampling import StoredSampler
from anomend.labelling.counting import RaterRules, excluded_raters
from anomend.labelling.design import DESIGN_COLUMNS
from anomend.labelling.records import read_labels
from anomend.labelling.texts import versions
from anomend.params.labels import LabelParams
from anomend.pictures.sample_store import checksum
from anomend.project.slugs import slug
from anomend.scanning.pictures import stored
from anomend.scanning.rounds import Requests

GROUP = "scan"
"""Of the rows of a scan's design of labels; all pictures are the base's."""


def judgement(answers: Sequence[str], raters: int) -> tuple[bool, bool | None]:
    """Whether a picture has labels enough, and whether it is wrong; None: unclear.

    Args:
        answers: of different raters: nothing, unsure or wrong.
        raters: how many are to see a picture.
    """
    said = set(answers)
    wrong = None if len(said) != 1 or said == {"unsure"} else said == {"wrong"}
    return len(answers) >= raters, wrong


@dataclass(frozen=True, kw_only=True)
class LabelledPictures:
    """Makes images of the base, and reads what people say of them."""

    sampler: StoredSampler
    answers: Mapping[str, Sequence[str]]
    """By picture (SHA-256), the first answers of all raters who count."""
    raters: int
    """How many are to see each picture."""
    unlabelled: dict[tuple[str, int], Path] = field(default_factory=dict)
    """Images that were asked for and have labels too few, by prompt and seed."""

    def find(self, requests: Requests) -> dict[tuple[str, int], bool | None]:
        """What people say of each image; see `anomend.scanning.rounds.Find`."""
        self.sampler.images(requests, min(seeds[0] for _, seeds in requests))
        return self.said_of([(prompt, seed) for prompt, seeds in requests for seed in seeds])

    def said_of(self, images: Sequence[tuple[str, int]]) -> dict[tuple[str, int], bool | None]:
        """What people say of images that were made, by prompt and seed; the others are noted as `unlabelled`."""
        found: dict[tuple[str, int], bool | None] = {}
        for key in images:
            path = stored(self.sampler, *key)
            enough, wrong = judgement(self.answers.get(checksum(path), ()), self.raters)
            if enough:
                found[key] = wrong
            else:
                self.unlabelled[key] = path
        return found

    def provenance(self) -> dict[str, int]:
        """What metrics/scan.json says of the labels: how many raters see each picture, and pictures without enough."""
        return {"raters_per_picture": self.raters, "pictures_to_label": len(self.unlabelled)}

    def design(self, waiting: Mapping[str, Sequence[int]]) -> pd.DataFrame:
        """What people are to label next, two pictures of a prompt as a pair.

        Args:
            waiting: prompts and the seeds that people are to see of their round. Of a pair both pictures are listed,
                also where one has labels enough: a rater sees both or none.

        Returns:
            The columns of a design (`DESIGN_COLUMNS`).
        """
        pairs = [
            (prompt, seeds[place : place + 2]) for prompt, seeds in waiting.items() for place in range(0, len(seeds), 2)
        ]
        open_pairs = [
            (prompt, pair) for prompt, pair in pairs if any((prompt, seed) in self.unlabelled for seed in pair)
        ]
        # A rater sees two pairs at least.
        chosen = open_pairs if len(open_pairs) != 1 else pairs
        rows = [self._row(prompt, seed, pair=f"{slug(prompt)}-{pair[0]}") for prompt, pair in chosen for seed in pair]
        return pd.DataFrame(rows, columns=list(DESIGN_COLUMNS))

    def _row(self, prompt: str, seed: int, *, pair: str) -> dict[str, object]:
        path = stored(self.sampler, prompt, seed)
        about = {"model": "base", "group": GROUP, "prompt": prompt, "seed": seed, "pair": pair}
        return {"picture": checksum(path), "path": path.as_posix(), "showings": self.raters, **about}


def judged_by_people(params: LabelParams, sampler: StoredSampler, folder: Path) -> LabelledPictures:
    """The sampler's images, judged by the labels of raters who count.

    Args:
        params: raters per picture, and whose labels count.
        sampler: makes the images.
        folder: of the labels.

    Raises:
        ValueError: the folder is missing, or a label is broken or of another version of the question.
    """
    labels = read_labels(folder, texts=versions())
    rules = RaterRules(max_failed_gold=params.max_failed_gold, min_median_ms=params.min_median_ms)
    labels = labels[~labels["rater"].isin(excluded_raters(labels, rules).index)]
    return LabelledPictures(sampler=sampler, answers=answers_of(labels), raters=params.raters_per_picture)


def answers_of(labels: pd.DataFrame) -> dict[str, list[str]]:
    """The first answers to each picture, by its SHA-256; gold pictures and repeats tell about raters alone.

    Args:
        labels: as `read_labels` returns them, without raters who are excluded.
    """
    first = labels[(labels["showing"] == 0) & (labels["gold"] == "")]
    return {str(picture): list(of) for picture, of in first.groupby("picture")["answer"]}
