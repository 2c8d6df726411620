import io

import pandas as pd
import pytest
from statsmodels.stats.proportion import proportion_confint

from anomend.detectors.table import make_detector
from anomend.measuring.anatomy_rates import anomaly_rates, flat_figures
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
    rates = anomaly_rates(TABLE).set_index("name")
    assert rates.loc["target", "rate"] == pytest.approx(2 / 3)
    assert rates.loc["lying on the grass", "rate"] == 1
    assert rates.loc["standing", "anomalous"] == 1
    assert rates.loc["missing_arm", "rate"] == pytest.approx(2 / 5)
    low, high = proportion_confint(2, 3, method="wilson")
    assert (rates.loc["target", "ci_low"], rates.loc["target", "ci_high"]) == pytest.approx((low, high))


def test_a_csv_with_empty_cells_gives_the_same_rates() -> None:
    again = pd.read_csv(io.StringIO(TABLE.to_csv(index=False)))
    assert anomaly_rates(again).equals(anomaly_rates(TABLE))


def test_keys_are_the_same_whichever_anomalies_occur() -> None:
    clean = TABLE.assign(anomalous=0, anomalies="")
    some, none = flat_figures(anomaly_rates(TABLE, KINDS)), flat_figures(anomaly_rates(clean, KINDS))
    assert list(some) == list(none)
    assert some["anomaly_rate.lying_on_the_grass"] == 1
    assert some["anomaly_kinds.extra_leg"] == pytest.approx(2 / 5)
    assert set(none.values()) == {0.0}


def test_contradictions_and_clashes_are_named() -> None:
    with pytest.raises(ValueError, match="measure it again"):
        anomaly_rates(TABLE.assign(anomalous=0))
    with pytest.raises(ValueError, match="missing: \\['group'\\]"):
        anomaly_rates(TABLE.drop(columns="group"))
    clash = TABLE.assign(prompt=["a b", "a b", "a-b", "c", "c"])
    with pytest.raises(ValueError, match="share the key"):
        flat_figures(anomaly_rates(clash))
