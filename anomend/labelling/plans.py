"""What each rater sees, in which order.

Every pair, the base and the tuned picture of one prompt and seed, goes to the same few raters, so that what a rater
tends to say cancels in their difference. The raters of a pair are those with the fewest pairs so far, ties at random:
shares differ by one pair at most. A rater sees one picture of each pair in the first half, the base's for half of the
pairs, and the other one in the second half, so that the two never come next to each other. Repeats come in the second
half as well. Gold pictures are spread over the whole (as the survey's catch pairs are).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

from anomend.project.seeding import python_random

Gold = Literal["", "nothing", "wrong"]


@dataclass(frozen=True, kw_only=True)
class PicturePair:
    """Both pictures of one prompt and seed, by their SHA-256; in a scan, two pictures of one prompt by the base."""

    name: str
    base: str
    tuned: str


@dataclass(frozen=True)
class Showing:
    """One picture as a rater sees it."""

    picture: str
    number: int = 0
    """0 the first time, 1 the repeat."""
    gold: Gold = ""
    """The known answer of a gold picture."""


def plans(
    pairs: Sequence[PicturePair],
    *,
    raters: int,
    raters_per_picture: int,
    repeats: int,
    gold: Mapping[str, Gold],
    seed: int,
) -> list[list[Showing]]:
    """What each of the raters sees.

    Args:
        pairs: those of one prompt follow each other, so that every rater gets some of each prompt.
        raters: their number.
        raters_per_picture: how many of them see each picture.
        repeats: pictures that a rater sees twice; at most one for every two of the rater's pairs.
        gold: known answers by picture.
        seed: seed of the draws.

    Raises:
        ValueError: a rater's share is less than two pairs, so that the two pictures of one would meet; or a gold
            picture is one of the drawn ones.
    """
    drawn = {picture for pair in pairs for picture in (pair.base, pair.tuned)}
    if known := sorted(drawn & set(gold)):
        raise ValueError(f"the gold picture {known[0]} is one of the pictures that were drawn: take it out of the gold")
    shares = assign(pairs, raters=raters, raters_per_picture=raters_per_picture, seed=seed)
    if (smallest := min(map(len, shares))) < 2:
        raise ValueError(
            f"{len(pairs)} pairs give a rater only {smallest}: raise label.pairs_per_prompt or "
            "label.raters_per_picture, or lower label.raters"
        )
    return [
        _spread(_in_order(share, repeats, draw), gold, draw)
        for number, share in enumerate(shares)
        for draw in [python_random(seed, "label order", number)]
    ]


def assign(pairs: Sequence[PicturePair], *, raters: int, raters_per_picture: int, seed: int) -> list[list[PicturePair]]:
    """The pairs of each rater: each pair goes to that many raters, and shares differ by one pair at most."""
    draw = python_random(seed, "label shares")
    shares: list[list[PicturePair]] = [[] for _ in range(raters)]
    for pair in pairs:
        order = sorted(range(raters), key=lambda rater: (len(shares[rater]), draw.random()))
        for rater in order[:raters_per_picture]:
            shares[rater].append(pair)
    return shares


def _in_order(share: Sequence[PicturePair], repeats: int, draw: Random) -> list[Showing]:
    """Both pictures of each pair in the two halves, at least two places apart, and the repeats."""
    pairs = draw.sample(share, len(share))
    base_first = [index % 2 == 0 for index in range(len(pairs))]
    draw.shuffle(base_first)
    early = [pair.base if first else pair.tuned for pair, first in zip(pairs, base_first, strict=True)]
    late = [pair.tuned if first else pair.base for pair, first in zip(pairs, base_first, strict=True)]
    # The second half keeps the first one's two blocks: nothing of the last block can follow at once.
    cut = (len(pairs) + 1) // 2
    blocks = [draw.sample(block, len(block)) for block in (late[:cut], late[cut:])]
    # Repeats are of the first block and among the second half's last block, behind one picture of it at least.
    last = [Showing(picture) for picture in blocks[1]]
    for picture in draw.sample(early[:cut], min(repeats, len(pairs) // 2)):
        last.insert(draw.randint(1, len(last)), Showing(picture, 1))
    # Each once: two models may have drawn equal files.
    return list(dict.fromkeys([*map(Showing, early), *map(Showing, blocks[0]), *last]))


def _spread(showings: Sequence[Showing], gold: Mapping[str, Gold], draw: Random) -> list[Showing]:
    """The showings with the gold pictures, each in a stretch of its own."""
    spread = list(showings)
    stretch = len(spread) / max(1, len(gold))
    for number, picture in enumerate(draw.sample(sorted(gold), len(gold))):
        spread.insert(int(number * stretch + draw.random() * stretch) + number, Showing(picture, 0, gold[picture]))
    return spread
