"""The table of detectors: what is refused, before any network library is loaded."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import pytest

from anomend.detectors.table import DETECTORS, check_detector, check_detectors, detector_for, make_detector, module_of
from tests.conftest import ROOT
from tests.detectors.settings import detector_params
from tests.parameters import params_of

SETTINGS = detector_params()
HEAVY = ("torch", "transformers", "ai_edge_litert")


def test_the_table_and_all_its_modules_load_no_network_library() -> None:
    code = (
        "import sys, importlib; from anomend.detectors.table import DETECTORS;"
        "[importlib.import_module(module) for module in DETECTORS.values()];"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_row_names_a_module_with_the_whole_interface() -> None:
    for name, module in DETECTORS.items():
        assert find_spec(module) is not None
        loaded = import_module(module)
        assert loaded.FORM.partition(":")[0] == name
        assert {"anomalies", "curation", "parts"} >= loaded.USES and callable(loaded.check) and callable(loaded.make)


def test_a_name_leads_to_its_module_whatever_its_argument() -> None:
    assert module_of("photographs") == "anomend.detectors.photographs.detector"
    assert module_of("objects:folder:with@colon") == "anomend.detectors.objects"


@pytest.mark.parametrize("name", ["eyes", "Objects:a@b", "drawn_people:64", "objects", "objects:", ""])
def test_unknown_detectors_are_refused_with_the_choices(name: str) -> None:
    expected = (
        r"choose one of drawn_people, photographs, .*objects|write (drawn_people|objects:MODEL@PIN)|have the shape"
    )
    with pytest.raises(ValueError, match=expected):
        make_detector(name, SETTINGS)
    with pytest.raises(ValueError, match=expected):
        check_detector(name, SETTINGS, "anomalies")


def test_a_detector_is_refused_for_what_it_cannot_do() -> None:
    with pytest.raises(ValueError, match="cannot name anomalies: choose one of drawn_people, photographs, objects"):
        check_detector("photographs_rtdetr", SETTINGS, "anomalies")
    with pytest.raises(
        ValueError, match="cannot locate parts of a body: choose one of drawn_people, photographs, none"
    ):
        check_detector("photographs_rtdetr", SETTINGS, "parts")
    with pytest.raises(ValueError, match=r"cannot select training images: choose one of .*photographs_rtdetr, none"):
        check_detector(f"objects:folder@{'0' * 40}", SETTINGS, "curation")
    check_detector("photographs_rtdetr", SETTINGS, "curation")


@pytest.mark.parametrize(
    ("section", "key"), [("measure", "detector"), ("curate", "detector"), ("judge", "parts"), ("losers", "detector")]
)
def test_a_run_is_refused_by_the_parameter_that_is_wrong(raw_params: dict[str, Any], section: str, key: str) -> None:
    check_detectors(params_of(raw_params))
    raw_params[section][key] = "eyes"
    with pytest.raises(ValueError, match=rf"^{section}\.{key} = 'eyes': there is no detector 'eyes': choose one of"):
        check_detectors(params_of(raw_params))


def test_without_a_detector_nothing_is_known() -> None:
    none = make_detector("none", SETTINGS)
    assert none.kinds == () and none.provenance() == {} and not none.criteria.one_person


def test_auto_takes_the_checker_for_drawn_people_alone() -> None:
    assert detector_for("auto", "drawn_people") == "drawn_people"
    assert detector_for("auto", "folder") == "photographs"
    assert detector_for("none", "drawn_people") == "none"
    # The miniature's own images show drawn people, those of a real base do not.
    assert detector_for("auto", "base", "mini") == "drawn_people"
    assert detector_for("auto", "base", "sd3-medium") == detector_for("auto", "folder", "mini") == "photographs"
