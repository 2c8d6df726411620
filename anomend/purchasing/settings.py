"""What a paid client needs to know to buy: the model, the money, the store, the key."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from anomend.purchasing.purchase import Counts, Patience


@dataclass(frozen=True, kw_only=True)
class PurchaseSettings:
    """How one paid client buys; built by `environment.purchase_settings`."""

    model: str
    model_parameter: str
    """The parameter that names the model, for messages."""
    max_usd: float
    """Dollars that the result may cost in all."""
    budget_parameter: str
    """The parameter that sets `max_usd`, for messages."""
    concurrency: int
    """Requests in flight at once."""
    timeout_s: float
    """Seconds that an answer may take."""
    patience: Patience
    store: Path
    """Folder of the paid answers."""
    prices: Path
    """CSV file: see `prices.read_price`."""
    retired_models: Path
    """CSV file: see `models.refuse_retired`."""
    key_variable: str
    """Environment variable of the provider's key, for messages."""
    api_key: str | None = field(repr=False)
    may_spend: bool
    """Whether the user permits spending."""
    counts: Counts = field(default_factory=Counts)
    """Filled in as answers come."""
