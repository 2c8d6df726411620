"""What models cost, from a dated table that the user keeps current."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from anomend.project.hand_edited import read_table

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
        ValueError: the table is missing or broken, does not have the model, or has it twice.
    """
    lines = read_table(path, COLUMNS)
    matching = [line for line in lines if model == line["model"] or _dated(model, line["model"])]
    if not matching:
        raise ValueError(
            f"{path} has no price for {model!r}: add a line with what its provider charges today (it has "
            f"{', '.join(line['model'] for line in lines)})"
        )
    # The longest name is the closest match.
    line = max(matching, key=lambda line: len(line["model"]))
    if same := [other.number for other in matching if other["model"] == line["model"] and other is not line]:
        raise line.problem(f"and line {same[0]} both have a price for {line['model']!r}: keep today's")
    prices = {name: line.number_in(name) for name in ("text_input", "image_input", "output")}
    for name, price in prices.items():
        if not 0 <= price < 10_000:
            raise line.problem(f"has {name} = {line[name]!r}: write dollars per million tokens, 0 or more")
    return Price(model=model, **prices, as_of=line["as_of"])


def _dated(model: str, name: str) -> bool:
    rest = model.removeprefix(name)
    return rest != model and rest.startswith("-") and rest.replace("-", "").isdigit()
