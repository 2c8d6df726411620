import io
import json

import pandas as pd
import pytest
from statsmodels.stats.proportion import proportion_confint

from anomend.detectors.table import make_detector
from anomend.measuring.rates import anomaly_rates, rate_metrics, read_rates
from tests.detectors.settings import detector_params

KINDS = make_detector("drawn_people", detector_params()).kinds
TABLE = pd.DataFrame(
    [
        ("target", "lying on the grass", 1, "missing_arm extra_leg"),
        ("target", "lying on the grass", 1, "missing_arm"),
        ("target", "lying on the street", 0, ""),
        ("held_out", "standing", 0, ""),
        ("held_out", "standing", 1, "extra_leg"),
    ],
    columns=["group", "prompt", "anomalous", "anomalies"],
)


def test_rates_by_group_prompt_and_kind() -> None:
    rates = {rate.name: rate.rate for rate in anomaly_rates(TABLE)}
    assert rates["target"] is not None and (rates["target"].k, rates["target"].n) == (2, 3)
    assert rates["target"].value == pytest.approx(2 / 3)
    assert rates["lying on the grass"] is not None and rates["lying on the grass"].value == 1
    assert rates["standing"] is not None and rates["standing"].k == 1
    assert rates["missing_arm"] is not None and rates["missing_arm"].value == pytest.approx(2 / 5)
    low, high = proportion_confint(2, 3, method="wilson")
    assert (rates["target"].ci_low, rates["target"].ci_high) == pytest.approx((low, high))


def test_a_csv_with_empty_cells_has_the_same_rates() -> None:
    again = pd.read_csv(io.StringIO(TABLE.to_csv(index=False)))
    assert anomaly_rates(again) == anomaly_rates(TABLE)


def test_keys_do_not_depend_on_which_anomalies_occur() -> None:
    clean = TABLE.assign(anomalous=0, anomalies="")
    some, none = rate_metrics(anomaly_rates(TABLE, KINDS)), rate_metrics(anomaly_rates(clean, KINDS))
    assert list(some) == list(none)
    assert list(some["anomaly_kinds"]) == list(none["anomaly_kinds"]) == list(KINDS)
    assert some["anomaly_rate"]["lying_on_the_grass"] == 1
    assert some["anomaly_kinds"]["extra_leg"] == pytest.approx(2 / 5)
    assert {*none["anomaly_rate"].values(), *none["anomaly_kinds"].values(), none["anomaly_rate_target"]} == {0.0}


def test_rates_come_back_from_a_metric_file_as_they_were_computed() -> None:
    rates = anomaly_rates(TABLE, KINDS)
    assert read_rates(json.loads(json.dumps(rate_metrics(rates)))) == rates
    listed = [{"scope": rate.scope, "name": rate.name, **rate.as_dict()} for rate in rates]
    assert read_rates({"anomaly_rate_intervals": listed}) == rates  # As earlier versions wrote them.
    with pytest.raises(ValueError, match="run stage `measure` again"):
        read_rates({"anomaly_rate_target": 0.5})


def test_without_a_detector_groups_and_prompts_have_no_rate_and_a_reason() -> None:
    rates = anomaly_rates(TABLE.assign(anomalous=None, anomalies=""), ("extra_leg",))
    assert {rate.scope for rate in rates} == {"group", "prompt"} and {rate.rate for rate in rates} == {None}
    metrics = rate_metrics(rates)
    assert metrics["anomaly_rate_held_out"] is None and "no detector ran" in metrics["anomaly_rate_held_out_reason"]
    assert not {"anomaly_rate", "anomaly_kinds"} & set(metrics)
    assert read_rates(json.loads(json.dumps(metrics))) == rates


def test_contradictions_and_clashes_are_named() -> None:
    with pytest.raises(ValueError, match="measure it again"):
        anomaly_rates(TABLE.assign(anomalous=0))
    with pytest.raises(ValueError, match="missing: \\['group'\\]"):
        anomaly_rates(TABLE.drop(columns="group"))
    clash = TABLE.assign(prompt=["a b", "a b", "a-b", "c", "c"])
    with pytest.raises(ValueError, match="share the key"):
        rate_metrics(anomaly_rates(clash))
