"""The projections of Stable Diffusion 3's transformer by name, which `train.target_modules` chooses from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

IN_BLOCK = (
    *(f"attn.{name}" for name in ("to_q", "to_k", "to_v", "to_out.0")),
    *(f"attn.{name}" for name in ("add_q_proj", "add_k_proj", "add_v_proj", "to_add_out")),
    *(f"attn2.{name}" for name in ("to_q", "to_k", "to_v", "to_out.0")),
    *(f"{part}.net.{layer}" for part in ("ff", "ff_context") for layer in ("0.proj", "2")),
    *("norm1.linear", "norm1_context.linear"),
)
"""In each of `transformer_blocks`; a base need not have all of them."""
OUTSIDE = (
    "context_embedder",
    *(f"time_text_embed.{part}_embedder.linear_{layer}" for part in ("timestep", "text") for layer in (1, 2)),
    "pos_embed.proj",
    "norm_out.linear",
    "proj_out",
)
MOST_BLOCKS = 100
"""More blocks than any base has."""


def projections_of_any_base() -> list[str]:
    """The names of all projections that a base of this family may have."""
    return [f"transformer_blocks.{block}.{name}" for block in range(MOST_BLOCKS) for name in IN_BLOCK] + [*OUTSIDE]


def refuse_unknown_targets(targets: Sequence[str], modules: Iterable[str], owner: str) -> None:
    """Refuse names of `train.target_modules` that choose nothing.

    Args:
        targets: the names; each chooses the modules that have this name or end in `.` and this name, as peft does it.
        modules: names of the modules that can get an adapter.
        owner: whose modules they are, for the sentence.

    Raises:
        ValueError: a name chooses no module; the sentence lists all such names, with the ones that come close.
    """
    endings: dict[str, None] = {}
    for module in modules:
        parts = module.split(".")
        # A number alone would choose blocks too: `2` is `ff.net.2` and `transformer_blocks.2`.
        endings |= dict.fromkeys(
            ".".join(parts[start:]) for start in range(len(parts)) if not parts[start:][0].isdigit()
        )
    unknown = [target for target in targets if target not in endings]
    if not unknown:
        return
    # Names with a block's number would crowd out the ones that choose a projection in every block.
    choices = [name for name in endings if "transformer_blocks" not in name and not name[0].isdigit()]
    listed = []
    for target in unknown:
        close = get_close_matches(target, choices, n=2)
        listed.append(repr(target) + (f" (did you mean {' or '.join(close)}?)" if close else ""))
    raise ValueError(
        f"train.target_modules names {', '.join(listed)}, which {owner} does not have: fix the spelling or leave "
        f"{'it' if len(unknown) == 1 else 'them'} out"
    )
