"""What a scan proposes: target prompts, matched held-out prompts, and a profile that the parameters accept."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import pytest
from scipy.integrate import quad
from statsmodels.stats.proportion import proportion_confint

from anomend.params.profiles import resolve
from anomend.scanning.metrics import scan_metrics
from anomend.scanning.overlays import write_overlay
from anomend.scanning.proposals import Proposal, propose
from anomend.scanning.results import ReportedRate, reported_rates
from anomend.scanning.rounds import Scanned
from anomend.scanning.rules import Rules, Status, Tally
from anomend.scanning.suites import Suite, read_suite
from tests.conftest import ROOT
from tests.parameters import params_of, user_params

SUITE = read_suite(ROOT / "data/suites/miniature.yaml")
PLANTED = ("lying on the grass", "lying on the street", "sitting on the snow")
CLASSES = params_of(user_params()).class_images.prompts


def seen(wrong: Sequence[str], unsettled: Sequence[str] = (), suite: Suite = SUITE) -> Scanned:
    statuses: dict[str, Status] = {}
    for prompt in suite.prompts:
        text = prompt.prompt
        statuses[text] = "wrong" if text in wrong else "open" if text in unsettled else "fine"
    tallies = {text: Tally(7, 8) if text in wrong else Tally(0, 16) for text in statuses}
    fresh = {text: Tally(20, 24) for text in wrong}
    return Scanned(tallies=tallies, statuses=statuses, fresh=fresh, anomalous={}, rounds=2)


def proposal(
    scanned: Scanned, held_out: int = 8, classes: Sequence[str] = CLASSES, siblings: int = 2
) -> Proposal | None:
    rates: dict[str, ReportedRate] = reported_rates(scanned, 0.95)
    return propose(SUITE, scanned, rates, held_out=held_out, siblings=siblings, class_prompts=classes)


def test_prompts_of_one_pose_are_corrected_together_and_the_others_later() -> None:
    found = proposal(seen(PLANTED))
    assert found is not None
    assert found.target == ("lying on the grass", "lying on the street")
    assert found.later == ("sitting on the snow",) and not set(found.held_out) & set(PLANTED)
    # As many as the default profile has, three of them of content that training does not see.
    prompts = params_of(user_params()).prompts
    assert len(found.held_out) == len(prompts.held_out) == 6 and list(found.siblings) == prompts.siblings


def test_held_out_prompts_are_siblings_neighbours_in_place_and_unrelated_ones_in_turn() -> None:
    found = proposal(seen(PLANTED), held_out=6, classes=[], siblings=0)
    assert found is not None
    assert list(found.held_out.values()) == ["sibling", "same_place", "unrelated"] * 2
    assert {prompt for prompt, kind in found.held_out.items() if kind == "sibling"} == {
        "lying on the beach",
        "lying on the snow",
    }
    for prompt, kind in found.held_out.items():
        assert (kind == "same_place") == (prompt.endswith(("grass", "street"))), prompt


def test_siblings_are_used_for_nothing_else_and_leave_as_many_to_be_held_out() -> None:
    target = ["lying on the grass"]
    others = {"lying on the street", "lying on the beach", "lying on the snow"}
    for most, kept in ((0, 0), (1, 1), (2, 1)):
        found = proposal(seen(target), classes=[], siblings=most)
        assert found is not None and found.target == tuple(target) and len(found.siblings) == kept
        assert set(found.siblings) <= others and not set(found.siblings) & set(found.held_out)
        assert others - set(found.siblings) <= set(found.held_out)
    # Class images show all of them: none is unseen.
    shown = proposal(seen(target), classes=[f"a photo of a person {prompt}" for prompt in sorted(others)], siblings=2)
    assert shown is not None and not shown.siblings
    # What is settled comes first.
    settled = proposal(seen(target, unsettled=["lying on the street"]), classes=[], siblings=1)
    assert settled is not None and settled.siblings == ("lying on the beach",)


def test_unsettled_prompts_are_held_out_last() -> None:
    found = proposal(seen(PLANTED, unsettled=["lying on the beach"]), held_out=3, classes=[], siblings=0)
    assert found is not None and "lying on the beach" not in found.held_out


def test_half_of_the_held_out_prompts_or_more_are_of_content_that_training_does_not_see() -> None:
    classes = [f"a photo of a person {prompt.prompt}" for prompt in SUITE.prompts if prompt.prompt not in PLANTED][:7]
    found = proposal(seen(PLANTED), classes=classes)
    assert found is not None
    shown = [prompt for prompt in found.held_out if f"a photo of a person {prompt}" in classes]
    assert 2 * len(shown) <= len(found.held_out) and found.class_prompts == tuple(classes)


def test_class_prompts_of_what_is_drawn_wrong_are_dropped() -> None:
    found = proposal(seen(["standing on the snow"]))
    assert found is not None and "a photo of a person standing on the snow" in CLASSES
    assert set(CLASSES) - set(found.class_prompts) == {"a photo of a person standing on the snow"}


def test_where_nothing_is_wrong_or_everything_is_nothing_is_proposed() -> None:
    assert proposal(seen([])) is None
    assert proposal(seen([prompt.prompt for prompt in SUITE.prompts])) is None


@pytest.mark.parametrize("wrong", [PLANTED, ["standing on the snow"]])
@pytest.mark.parametrize("profile", ["mini", "sd35-medium"])
def test_the_profile_is_accepted_and_changes_only_the_prompts(
    tmp_path: Path, wrong: Sequence[str], profile: str
) -> None:
    for path in (ROOT / "profiles").rglob("*.yaml"):
        (tmp_path / path.relative_to(ROOT / "profiles")).parent.mkdir(exist_ok=True)
        (tmp_path / path.relative_to(ROOT / "profiles")).write_text(path.read_text())
    user = user_params() | {"profile": profile}
    before = resolve(user, tmp_path)
    metrics = scan_metrics(
        SUITE, seen(wrong), Rules(), held_out=8, siblings=2, class_prompts=before.class_images.prompts
    )
    write_overlay(tmp_path, metrics["proposal"], user)
    after = resolve(user | {"profile": "scanned"}, tmp_path)
    assert after.prompts.target == metrics["proposal"]["target"]
    assert after.prompts.held_out == [row["prompt"] for row in metrics["proposal"]["held_out"]]
    assert after.prompts.siblings == metrics["proposal"]["siblings"] != []
    same = {"profile", "prompts", "class_images"}
    assert before.model_dump(exclude=same) == after.model_dump(exclude=same)
    # A second scan, now with the proposed profile in force, goes over the same one.
    write_overlay(tmp_path, metrics["proposal"], user | {"profile": "scanned"})
    assert resolve(user | {"profile": "scanned"}, tmp_path) == after


def test_prompts_that_the_user_set_would_win_and_are_named(tmp_path: Path) -> None:
    user = user_params() | {"prompts": {"target": ["lying on the snow"], "held_out": None}}
    metrics = scan_metrics(SUITE, seen(PLANTED), Rules(), held_out=8, siblings=2, class_prompts=[])
    with pytest.raises(ValueError, match=r"params\.yaml sets prompts\.target, which wins"):
        write_overlay(tmp_path, metrics["proposal"], user)
    assert not list(tmp_path.iterdir())


def test_class_prompts_that_the_user_set_matter_only_where_some_would_be_dropped(tmp_path: Path) -> None:
    user = user_params() | {"class_images": {"prompts": CLASSES}}
    for wrong, refused in ((PLANTED, False), (["standing on the snow"], True)):
        metrics = scan_metrics(SUITE, seen(wrong), Rules(), held_out=8, siblings=2, class_prompts=CLASSES)
        with pytest.raises(ValueError, match=r"sets class_images\.prompts") if refused else nullcontext():
            write_overlay(tmp_path, metrics["proposal"], user)


def test_metrics_count_images_and_what_a_design_without_rounds_takes() -> None:
    metrics = scan_metrics(SUITE, seen(PLANTED), Rules(), held_out=8, siblings=2, class_prompts=CLASSES)
    assert (metrics["discoveries"], metrics["prompts_fine"], metrics["prompts_open"]) == (3, 9, 0)
    assert metrics["images"] == 3 * 8 + 9 * 16 + 3 * 24 == metrics["images_explored"] + metrics["images_fresh"]
    assert metrics["share_of_fixed_design"] == metrics["images"] / metrics["images_fixed_design"] < 0.4
    assert [row["status"] for row in metrics["prompts"]] == ["wrong"] * 3 + ["fine"] * 9
    low, high = proportion_confint(20, 24, alpha=0.05 / 3, method="beta")
    # Rates above the limit, all alike: the mean likelihood ratio of seven anomalous images in eight.
    evidence = quad(lambda rate: (rate / 0.2) ** 7 * (1 - rate) / 0.8 / 0.8, 0.2, 1)[0]
    assert metrics["prompts"][0] == {
        "prompt": "sitting on the snow",
        "levels": {"posture": "sitting", "place": "snow"},
        "status": "wrong",
        "value": 20 / 24,
        "k": 20,
        "n": 24,
        "ci_low": pytest.approx(low),
        "ci_high": pytest.approx(high),
        "fresh": True,
        "explored": {"k": 7, "n": 8},
        "log10_evidence": pytest.approx(math.log10(evidence)),
    }
