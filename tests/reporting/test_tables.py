"""The tables of the report, and how metrics are written."""

from __future__ import annotations

import pytest

from anomend.reporting.clauses import sample_advice
from anomend.reporting.evidence_tables import cost_table, judge_table, survey_table, training_table
from anomend.reporting.formatting import number_text, p_text, reasons_once
from anomend.reporting.inputs import ReportInputs
from anomend.reporting.measures import direction, is_share, reading
from anomend.reporting.tables import compare_table, kind_table, set_table


@pytest.mark.parametrize(
    ("low", "high", "better", "expected"),
    [
        (-0.3, -0.1, "lower", "improved"),
        (0.1, 0.3, "lower", "worse"),
        (0.1, 0.3, "higher", "improved"),
        (-0.3, -0.1, "higher", "worse"),
        (0.1, 0.3, "closer", "changed"),
        (-0.1, 0.3, "higher", "no clear change"),
        (0.0, 0.3, "higher", "no clear change"),
        (None, None, "higher", "not settled"),
    ],
)
def test_reading(low: float | None, high: float | None, better: str, expected: str) -> None:
    assert reading({"ci_low": low, "ci_high": high, "better": better}) == expected


def test_compare_table_has_every_measure_with_n_interval_p_and_direction(inputs: ReportInputs) -> None:
    rows = {row[0]: row[1:] for row in compare_table(inputs.compare).rows}
    assert len(rows) == 5
    assert rows["Anomaly rate, target prompts"] == (
        "80.0%",
        "20.0%",
        "-60.0 points",
        "-70.0 to -50.0 points",
        "0.0003",
        "0.0015",
        "640 in 10 prompts",
        "improved (lower is better)",
    )
    assert rows["Fréchet distance (efficientnet_lite0)"][6] == "640"
    assert rows["Fréchet distance (efficientnet_lite0)"][0] == "n/a (80 images are fewer than 1280 features)"


def test_measures_of_any_name_are_shown_with_their_direction_in_words() -> None:
    effect = {"base": 0.5, "tuned": 0.6, "delta": 0.1, "ci_low": 0.05, "ci_high": 0.15, "p": 0.01, "n": 30}
    compare = {
        "clip_score_target": effect | {"better": "higher", "clusters": 2, "method": "bootstrap"},
        "copy_rate": effect | {"better": "lower", "clusters": None},
        "lpips_within": effect | {"better": "closer", "clusters": None},
        "inception": {"kid": effect | {"better": "lower", "clusters": None}},
        "notes": {"text": "no measure"},
        "provenance": {"confidence": 0.9},
    }
    table = compare_table(compare)
    assert table.columns[4] == "90% interval" and "p by Holm" not in table.columns
    shown = {row[0]: row[1:] for row in table.rows}
    assert list(shown) == ["clip score target", "copy rate", "lpips within", "kid (inception)"]
    plain = ("0.5000", "0.6000", "+0.1000", "+0.0500 to +0.1500", "0.0100")
    assert shown["clip score target"] == (*plain, "30 in 2 prompts", "improved (higher is better)")
    share = ("50.0%", "60.0%", "+10.0 points", "+5.0 to +15.0 points", "0.0100")
    assert shown["copy rate"] == (*share, "30", "worse (lower is better)")
    assert shown["lpips within"] == (*plain, "30", "changed (neither direction is good by itself)")
    assert direction({}) == "no direction"
    assert is_share("anomaly_rate_target") and not is_share("frechet_separate")


def test_what_judges_could_not_say_and_how_far_to_trust_them_is_next_to_what_they_say() -> None:
    plain = {"pairs": 8, "win_rate_tuned": 0.5, "ci_low": 0.3, "ci_high": 0.7, "first_position_rate": 0.9}
    plain |= {"consistency": 0.2, "unparsed": 5, "refused": 3, "cut_off": 1}
    counts = {"base": {"n": 8, "wrong": 6}, "tuned": {"n": 7, "wrong": 1}}
    labels = {"target": counts, "caution": "nobody knows how often it errs"}
    judges = {"openai": plain | {"caution": "it names the first image"}, "anatomy": plain | {"labels": labels}}
    table = judge_table(judges | {"provenance": {"n": 8}})
    assert [row[-1] for row in table.rows] == ["5 (3 refused, 1 cut off)"] * 2
    assert "Caution about openai: it names the first image." in table.note and "about anatomy" not in table.note
    assert (
        "to anatomy: something is wrong with the body in 6 of 8 of the base model and 1 of 7 of the tuned" in table.note
    )
    assert "Caution: nobody knows how often it errs." in table.note


def test_costs(inputs: ReportInputs) -> None:
    paid = {"openai": {"spend_usd": 1.5, "requests_paid": 4, "requests_from_store": 2, "maybe_spent_usd": 0.25}}
    rows = dict(cost_table(collect=inputs.collect, curate=inputs.curate, judge=paid).rows)
    assert rows["Spent on images"] == "0.00 USD"
    assert rows["Spent on judge openai"] == "1.50 USD" and rows["Answers of judge openai: paid"] == "4"
    assert rows["Answers of judge openai: possibly charged, without a usable answer"] == "0.25 USD at most"
    unbilled = dict(
        cost_table(collect={"spend_usd": None, "reason": "no bill"}, curate=None, judge={"anatomy": {}}).rows
    )
    assert unbilled["Spent on images"] == "n/a (no bill)"
    sampled = {"images_drawn": 1107, "drawn_per_image": 2.30625, "model_evaluations_per_image": 92.25}
    sampled |= {"model_evaluations_per_image_base": 40}
    drew = dict(cost_table(collect=None, curate=None, judge=None, sampled=sampled).rows)
    assert drew["Images that the tuned model drew"] == "1,107" and drew["The same, per image that is kept"] == "2.306"
    assert drew["Model evaluations per image, tuned model"].startswith("92.25")
    assert not {row for row in rows if "drew" in row or "evaluations" in row}
    assert unbilled["Spent on judges"] == "0.00 USD (no paid judge was used)"


def test_training(inputs: ReportInputs) -> None:
    rows = dict(training_table(inputs.train).rows)
    assert rows["stopped early"] == "no" and rows["seed"] == "7"
    assert rows["step whose weights were kept"] == "40"
    assert rows["loss, mean of the last tenth"] == "n/a (not logged)"
    assert training_table(None).rows == ()


def test_a_survey_without_answers_is_three_rows() -> None:
    rows = dict(survey_table({"n": 0, "votes": 0, "win_rate_tuned": None, "reason": "no answers yet"}).rows)
    assert list(rows.values()) == ["0", "0", "n/a (no answers yet)", "n/a (same reason)"]


def test_metrics_of_a_set_have_their_dotted_names_and_reasons() -> None:
    measured = {
        "diversity": 0.5,
        "anomaly_rate": {"a": 0.1},
        "inception": {"fid": None, "kid": 0.25, "reason": "no weights"},
        "detector": "drawn_people",
        "provenance": {"n": 3},
    }
    rows = {row[0]: row[1:] for row in set_table(measured, measured | {"diversity": 0.4}).rows}
    assert rows == {
        "diversity": ("0.5000", "0.4000"),
        "inception.fid": ("n/a (no weights)", "n/a (same reason)"),
        "inception.kid": ("0.2500", "0.2500"),
    }


def test_advice_on_the_number_of_images() -> None:
    advised = {"held_out": {"advice": {"seeds_per_prompt": 1200, "power": 0.8}}, "target_drop": {"passed": True}}
    sentence = sample_advice({"clauses": advised})
    assert sentence.startswith("To settle what is open takes more per prompt, with a power of 80% each")
    assert sentence.endswith(": 1,200 seeds (change of the share of wrong images, held-out prompts).")
    assert sample_advice({"clauses": {}}) == ""


def test_kinds_that_neither_model_shows_are_left_out() -> None:
    def kind(name: str, both: int, only_base: int, only_tuned: int) -> dict[str, object]:
        rest = 8 - both - only_base - only_tuned
        return {"name": name, "both": both, "only_base": only_base, "only_tuned": only_tuned, "neither": rest}

    target = [kind("extra_arm", 1, 1, 2), kind("missing_leg", 0, 0, 0)]
    groups = {"anomaly_rate_target": target, "anomaly_rate_held_out": [kind("extra_arm", 0, 2, 0)]}
    table = kind_table({name: {"kinds": kinds} for name, kinds in groups.items()} | {"diversity": {"delta": 0}})
    assert table is not None
    assert table.columns[1:] == ("Target prompts (8 pairs)", "Held-out prompts (8 pairs)")
    assert table.rows == (("extra arm", "25.0% → 37.5% ▲", "25.0% → 0.0%"),)
    assert kind_table({"anomaly_rate_target": {"delta": None}}) is None


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (0.0, "number", "0.0000"),
        (0.00001234, "number", "0.00001234"),
        (266.5844, "number", "266.6"),
        (123456.7, "number", "123457"),
        (-0.05, "signed", "-0.0500"),
        (0.941, "rate", "94.1%"),
        (0.0123, "points", "+1.2 points"),
        (1234, "count", "1,234"),
        (1e-7, "p", "< 0.0001"),
        (None, "rate", "n/a (no reason given)"),
        (float("nan"), "number", "n/a (no reason given)"),
    ],
)
def test_how_numbers_are_written(value: float | None, unit: str, expected: str) -> None:
    assert number_text(value, unit) == expected  # type: ignore[arg-type]


def test_p_values_are_written_after_their_letter() -> None:
    assert p_text({"p": 0.0123}) == "p = 0.0123"
    assert p_text({"p": 1e-9}) == "p < 0.0001"
    assert p_text({"p": None, "reason": "one image"}) == "p n/a (one image)"


def test_a_reason_is_given_once_per_row() -> None:
    assert reasons_once(["1", "n/a (x)", "n/a (x)", "1", "n/a (y)"]) == [
        "1",
        "n/a (x)",
        "n/a (same reason)",
        "1",
        "n/a (y)",
    ]
