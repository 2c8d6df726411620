"""Settings of a purchase for tests: tables of this repository, and no wait between attempts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from anomend.purchasing.purchase import Patience
from anomend.purchasing.settings import PurchaseSettings
from tests.conftest import ROOT


def settings_for(model: str, store: Path, **changes: Any) -> PurchaseSettings:
    values: dict[str, Any] = {
        "model": model,
        "model_parameter": "test.model",
        "max_usd": 10.0,
        "budget_parameter": "test.max_usd",
        "concurrency": 2,
        "timeout_s": 5.0,
        "patience": Patience(attempts=4, first_wait=0.0),
        "store": store,
        "prices": ROOT / "data" / "prices.csv",
        "retired_models": ROOT / "data" / "retired_models.csv",
        "key_variable": "TEST_API_KEY",
        "api_key": "a-key-that-opens-nothing",
        "may_spend": True,
    }
    return PurchaseSettings(**values | changes)
