"""A launcher that does not exist is a sentence for the user."""

from __future__ import annotations

import pytest

from anomend.training.launching import replace_by_launcher


def test_a_missing_launcher_is_named() -> None:
    with pytest.raises(ValueError, match=r"train\.launcher: the command 'nowhere' does not exist"):
        replace_by_launcher(["nowhere"], "stages.train")
