"""What models cost, from a dated table that the user keeps current."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

COLUMNS = ("model", "text_input", "image_input", "output", "as_of", "source")
BATCH_DISCOUNT = 0.5
"""Both vendors' batch APIs cost half."""


@dataclass(frozen=True)
class Price:
    """Dollars per million tokens."""

    model: str
    text_input: float
    image_input: float
    output: float
    as_of: str
    """When the price was read, ISO date."""

    def usd(self, text_input: int, image_input: int, output: int, *, batch: bool = False) -> float:
        """Dollars that a request with these numbers of tokens costs."""
        tokens = text_input * self.text_input + image_input * self.image_input + output * self.output
        return tokens / 1_000_000 * (BATCH_DISCOUNT if batch else 1.0)


def read_price(model: str, path: Path) -> Price:
    """The price of a model. A name that ends in a date, such as -2026-09-08, has the price of the name before it.

    Args:
        model: the model.
        path: CSV file with the columns `COLUMNS`.

    Raises:
        ValueError: the table is missing or broken, or does not have the model.
    """
    import pandas as pd  # 0.2 seconds that runs without paid models, which ask for no price, need not wait.

    try:
        table = pd.read_csv(path, dtype={"model": str, "as_of": str, "source": str})
        rows = [row for row in table.to_dict("records") if model == row["model"] or _dated(model, row["model"])]
        if not rows:
            raise ValueError(
                f"{path} has no price for {model!r}: add a line with what its provider charges today (it has "
                f"{', '.join(table['model'])})"
            )
        # The longest name is the closest match.
        row = max(rows, key=lambda row: len(row["model"]))
        prices = {name: float(row[name]) for name in ("text_input", "image_input", "output")}
        if not all(0 <= price < 10_000 for price in prices.values()):
            raise ValueError(f"{path}: a price of {model!r} is not a number of dollars: fix the line")
        return Price(model=model, **prices, as_of=str(row["as_of"]))
    except FileNotFoundError:
        raise ValueError(f"{path} is missing: restore it from git") from None
    except (KeyError, pd.errors.ParserError, pd.errors.EmptyDataError):
        raise ValueError(f"{path} is not a table with the columns {', '.join(COLUMNS)}: restore it from git") from None


def _dated(model: str, name: str) -> bool:
    rest = model.removeprefix(name)
    return rest != model and rest.startswith("-") and rest.replace("-", "").isdigit()
