"""The table of sources."""

from __future__ import annotations

from typing import get_args

import pytest

from anomend.collecting.registry import SOURCES, find_source, module_of
from anomend.params.images import SourceName


def test_every_source_of_the_parameters_has_a_module_and_a_function() -> None:
    assert set(SOURCES) == set(get_args(SourceName))
    for name in SOURCES:
        assert find_source(name).__module__ == module_of(name)


def test_an_unknown_source_is_refused_with_the_names() -> None:
    with pytest.raises(ValueError, match="there is no source 'camera': choose one of"):
        module_of("camera")
