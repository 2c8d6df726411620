"""Differences between what dvc.lock recorded and what a run would have; plans of whole pipelines: test_pipeline."""

from __future__ import annotations

import pytest

from anomend.pipeline.inputs import SAMPLING
from anomend.pipeline.plan import ABSENT, _differences, _input_change


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ({"rank": 16}, {"rank": 16}, []),
        ({"rank": 16, "seed": 0}, {"rank": 32, "seed": 0}, [("train.rank", 16, 32)]),
        ({"rank": 16}, {"rank": 16, "extra": None}, [("train.extra", ABSENT, None)]),
        ({"rank": 16, "extra": None}, {"rank": 16}, [("train.extra", None, ABSENT)]),
        ({"dpo": {"beta": 1.0}}, {"dpo": {"beta": 2.0}}, [("train.dpo.beta", 1.0, 2.0)]),
        (ABSENT, {"rank": 16}, [("train", ABSENT, {"rank": 16})]),
        (["a"], ["a", "b"], [("train", ["a"], ["a", "b"])]),
    ],
)
def test_leaves_that_differ_are_named_and_null_is_not_absence(old: object, new: object, found: object) -> None:
    assert _differences("train", old, new) == found


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("collect.folder.path", "the files of collect.folder.path"),
        (f"{SAMPLING}.sample.steps", "sample.steps: 20 -> 28"),
        (SAMPLING, "whether it samples the base"),
    ],
)
def test_a_change_of_what_a_source_reads_is_named_as_the_user_knows_it(key: str, said: str) -> None:
    assert _input_change(key, 20, 28) == said
