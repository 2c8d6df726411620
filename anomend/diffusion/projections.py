"""The projections of a base's transformer by name, which `train.target_modules` chooses from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

BLOCK_LIST = re.compile(r"(blocks|layers|refiner)(\.|$)")
"""In names that have a block's number."""


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
    choices = [name for name in endings if not BLOCK_LIST.search(name) and not name[0].isdigit()]
    listed = []
    for target in unknown:
        close = get_close_matches(target, choices, n=2)
        listed.append(repr(target) + (f" (did you mean {' or '.join(close)}?)" if close else ""))
    raise ValueError(
        f"train.target_modules names {', '.join(listed)}, which {owner} does not have: fix the spelling or leave "
        f"{'it' if len(unknown) == 1 else 'them'} out"
    )
