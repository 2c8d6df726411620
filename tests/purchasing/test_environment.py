"""The settings of a purchase, from parameters and environment."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from anomend.params.types import RequestParams
from anomend.purchasing.environment import KEY_VARIABLES, purchase_settings

build = partial(
    purchase_settings,
    model="m",
    model_parameter="judge.models.openai",
    max_usd=3.0,
    budget_parameter="judge.max_usd",
    requests=RequestParams(concurrency=4, timeout_s=60.0, attempts=5, first_wait_s=2.0),
    project=Path("project"),
    prices=Path("prices.csv"),
    retired_models=Path("retired.csv"),
)


@pytest.mark.parametrize("provider", sorted(KEY_VARIABLES))
def test_key_permission_and_store_come_from_the_environment(provider: str) -> None:
    keys = {variable: f"key of {name}" for name, variable in KEY_VARIABLES.items()}
    settings = build(provider, environment=keys | {"ANOMEND_ALLOW_SPEND": "1", "ANOMEND_PAID_STORE": "/elsewhere"})
    assert settings.api_key == f"key of {provider}" and settings.key_variable == KEY_VARIABLES[provider]
    assert settings.may_spend and settings.store == Path("/elsewhere")
    assert (settings.patience.attempts, settings.patience.first_wait) == (5, 2.0)
    # A printed dataclass must not show the key.
    assert "key of" not in repr(settings)


@pytest.mark.parametrize("value", ["", "0", "yes", "11"])
def test_only_1_permits_spending(value: str) -> None:
    settings = build("openai", environment={"ANOMEND_ALLOW_SPEND": value})
    assert not settings.may_spend and settings.api_key is None and settings.store == Path("project/paid").resolve()
