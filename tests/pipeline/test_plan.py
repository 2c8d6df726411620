"""Differences between what dvc.lock recorded and what a run would have; plans of whole pipelines: test_pipeline."""

from __future__ import annotations

import pytest

from anomend.pipeline.plan import ABSENT, _differences


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
