"""The only reader of the environment variables about money. Scripts call it; the library is handed the result."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from anomend.params.types import RequestParams
from anomend.project.shared_folders import shared_folder
from anomend.purchasing.budget import PERMISSION
from anomend.purchasing.purchase import Patience
from anomend.purchasing.settings import PurchaseSettings

KEY_VARIABLES = {"anthropic": "ANTHROPIC_API_KEY", "openai": "OPENAI_API_KEY"}
"""Environment variable of each provider's key."""
STORE = "ANOMEND_PAID_STORE"
"""Environment variable: folder of the paid answers, if not the project's `paid/`."""


def purchase_settings(
    provider: str,
    *,
    model: str,
    model_parameter: str,
    max_usd: float,
    budget_parameter: str,
    requests: RequestParams,
    environment: Mapping[str, str],
    project: Path,
    prices: Path,
    retired_models: Path,
) -> PurchaseSettings:
    """Settings of a paid client, from parameters and environment.

    Args:
        provider: a key of `KEY_VARIABLES`.
        model: the provider's model.
        model_parameter: the parameter that names it.
        max_usd: dollars that the result may cost in all.
        budget_parameter: the parameter that sets `max_usd`.
        requests: how requests are sent.
        environment: the process's environment variables.
        project: the project's root, where the paid answers are kept unless `STORE` names another folder.
        prices: table of prices.
        retired_models: table of retired models.
    """
    variable = KEY_VARIABLES[provider]
    return PurchaseSettings(
        model=model,
        model_parameter=model_parameter,
        max_usd=max_usd,
        budget_parameter=budget_parameter,
        concurrency=requests.concurrency,
        timeout_s=requests.timeout_s,
        patience=Patience(requests.attempts, requests.first_wait_s),
        store=paid_store(environment, project),
        prices=prices,
        retired_models=retired_models,
        key_variable=variable,
        api_key=environment.get(variable),
        may_spend=environment.get(PERMISSION) == "1",
    )


def paid_store(environment: Mapping[str, str], project: Path) -> Path:
    """The folder of the paid answers.

    Args:
        environment: the process's environment variables.
        project: the project's root, whose `paid/` it is unless `STORE` names another folder.
    """
    return shared_folder(project, "paid", environment.get(STORE))


def other_addresses(environment: Mapping[str, str]) -> dict[str, str]:
    """Where answers come from if not from the vendors themselves, for the provenance; empty where they do."""
    urls = {provider: environment.get(f"{provider.upper()}_BASE_URL") for provider in KEY_VARIABLES}
    return {f"{name}_host": urlsplit(url).hostname or "unreadable" for name, url in urls.items() if url}
