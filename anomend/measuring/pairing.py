"""Pairing of two tables of per-image values by prompt and seed."""

from __future__ import annotations

import pandas as pd


def pair_by_prompt_and_seed(
    base: pd.DataFrame, tuned: pd.DataFrame, column: str, *, missing: bool = False
) -> pd.DataFrame:
    """One row per (prompt, seed), which both models must have drawn.

    Args:
        base: the base model's images with `group`, `prompt`, `seed` and `column`.
        tuned: the tuned model's, the same rows in any order.
        column: the value to pair.
        missing: whether a value may be missing, such as the anomalies of an image on which no detector ran; it is then
            NaN in the pair.

    Returns:
        Columns `group`, `prompt`, `seed`, `base`, `tuned`, sorted by prompt and seed.

    Raises:
        ValueError: a column is missing, a value is missing although none may be, or a (prompt, seed) is in a table
            twice or in one table only.
    """
    keys = ["group", "prompt", "seed"]
    for name, table in (("base", base), ("tuned", tuned)):
        for needed in [*keys, column]:
            if needed not in table:
                raise ValueError(f"the {name} samples have no column {needed}: measure them again")
        unknown = table[table[column].isna()]
        if not missing and not unknown.empty:
            first = unknown.iloc[0]
            raise ValueError(
                f"the {name} samples have no value for {first['prompt']!r} with seed {first['seed']}: measure them"
                " again"
            )
        twice = table[table.duplicated(keys)]
        if not twice.empty:
            first = twice.iloc[0]
            raise ValueError(f"the {name} samples hold {first['prompt']!r} with seed {first['seed']} twice: keep one")
    left = base[[*keys, column]].rename(columns={column: "base"})
    right = tuned[[*keys, column]].rename(columns={column: "tuned"})
    pairs = left.merge(right, on=keys, how="outer", indicator=True, validate="one_to_one")
    alone = pairs[pairs["_merge"] != "both"]
    if not alone.empty:
        first = alone.iloc[0]
        owner = "base" if first["_merge"] == "left_only" else "tuned"
        raise ValueError(
            f"{first['prompt']!r} with seed {first['seed']} is among the {owner} samples only ({len(alone)} such):"
            " sample both models with the same prompts and seeds"
        )
    return pairs.drop(columns="_merge").sort_values(["prompt", "seed"], ignore_index=True)
