"""How a judge is questioned: blind pairs, both orders, k repeats, and a verdict by schema that is never guessed.

As in FastChat's `llm_judge`, asking, storing and analysing are separate steps over JSONL, so that an analysis never
asks again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from anomend.judging.verdicts import PairVerdict, parse_verdict
from anomend.pictures.image_sets import load_image
from anomend.project.files import sha256_of
from anomend.project.seeding import numpy_generator

Box = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels; right and bottom are outside."""
Order = Literal["base_first", "tuned_first"]
REFUSED, CUT_OFF = "refused", "cut off"
"""How the problem of a reply begins that was refused, or that reached the limit on tokens."""
ORDERS: tuple[Order, Order] = ("base_first", "tuned_first")


@dataclass(frozen=True, kw_only=True)
class JudgeQuestion:
    """One pair (same prompt, same seed) shown in one order."""

    prompt: str
    seed: int
    path_base: Path
    path_tuned: Path
    order: Order
    repeat: int
    """Number of the repeat, from 0."""
    part: str | None = None
    """The body part in question, shown in crops; None: the whole images."""
    crop_base: Box | None = None
    crop_tuned: Box | None = None

    def places(self) -> list[tuple[Path, Box | None]]:
        """The files of images A and B, with what is cut out of them."""
        places = [(self.path_base, self.crop_base), (self.path_tuned, self.crop_tuned)]
        return places if self.order == "base_first" else places[::-1]


@dataclass(frozen=True, kw_only=True)
class BlindPair:
    """All that a judge sees of a question: nothing in it tells which model drew which image."""

    prompt: str
    image_a: NDArray[np.uint8]
    """RGB, shape (H, W, 3)."""
    image_b: NDArray[np.uint8]
    name_a: str
    """A file name made from the image's own pixels."""
    name_b: str
    repeat: int
    part: str | None = None


@dataclass(frozen=True)
class Reply:
    """A judge's reply as it came."""

    raw: str
    """Should be JSON of a `PairVerdict`; kept even if it is not."""
    details: dict[str, Any] = field(default_factory=dict)
    """What else is kept: request id, usage, cost."""
    problem: str | None = None
    """Why it cannot be a verdict, where that is known without reading it: it was refused, or cut off."""


class Judge(Protocol):
    """Compares two images.

    `provider` and `model` name the judge in every output. `judge` answers one blind pair. A refusal or a truncated
    answer is a `Reply` (and counted as unparsed); a failure to get any answer is an exception.
    """

    @property
    def provider(self) -> str: ...

    @property
    def model(self) -> str: ...

    def judge(self, pair: BlindPair) -> Reply: ...


class JudgeAnswer(BaseModel):
    """One stored answer: the question, the raw reply, and its verdict where it could be parsed."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    provider: str
    model: str
    prompt: str
    seed: int
    order: Order
    repeat: int
    part: str | None = None
    name_a: str
    name_b: str
    verdict: PairVerdict | None
    unparsed: str | None = Field(description="Why the reply is not a verdict; null if it is.")
    raw: str
    details: dict[str, Any]


def choose_pairs(base: pd.DataFrame, tuned: pd.DataFrame, *, per_prompt: int, seed: int) -> pd.DataFrame:
    """Pair two image sets by (prompt, seed) and draw some pairs of each prompt at random.

    Args:
        base: the base model's images: columns `prompt`, `seed`, `path`.
        tuned: the tuned model's, likewise.
        per_prompt: pairs per prompt at most.
        seed: seed of the draw, which does not depend on the order of the rows.

    Returns:
        Columns `prompt`, `seed`, `path_base`, `path_tuned`, sorted by prompt and seed.

    Raises:
        ValueError: a (prompt, seed) occurs twice in one set, or the sets share none.
    """
    keys = ["prompt", "seed"]
    for name, table in (("base", base), ("tuned", tuned)):
        if table.duplicated(keys).any():
            row = table[table.duplicated(keys)].iloc[0]
            raise ValueError(f"the {name} images have {row['prompt']!r} at seed {row['seed']} twice: keep one")
    both = base[[*keys, "path"]].merge(tuned[[*keys, "path"]], on=keys, suffixes=("_base", "_tuned")).sort_values(keys)
    if both.empty:
        raise ValueError("base and tuned images share no prompt and seed: sample both with the same prompts and seeds")
    drawn = [
        rows.iloc[np.sort(numpy_generator(seed, "judge pairs", str(prompt)).permutation(len(rows))[:per_prompt])]
        for prompt, rows in both.groupby("prompt", sort=True)
    ]
    return pd.concat(drawn, ignore_index=True)


def whole_questions(pairs: pd.DataFrame, repeats: int) -> list[JudgeQuestion]:
    """Questions about whole images: every pair in both orders, `repeats` times each.

    Args:
        pairs: as `choose_pairs` returns them.
        repeats: times that each order is asked; 1 is enough for a deterministic judge.
    """
    columns = (pairs["prompt"], pairs["seed"], pairs["path_base"], pairs["path_tuned"])
    return [
        JudgeQuestion(
            prompt=str(prompt),
            seed=int(seed),
            path_base=Path(base),
            path_tuned=Path(tuned),
            order=order,
            repeat=repeat,
        )
        for prompt, seed, base, tuned in zip(*columns, strict=True)
        for repeat in range(repeats)
        for order in ORDERS
    ]


def blind(question: JudgeQuestion) -> BlindPair:
    """A question as a judge sees it."""
    first, second = (shown(path, crop) for path, crop in question.places())
    return BlindPair(
        prompt=question.prompt,
        image_a=first,
        image_b=second,
        name_a=_blind_name(first),
        name_b=_blind_name(second),
        repeat=question.repeat,
        part=question.part,
    )


def shown(path: Path, crop: Box | None) -> NDArray[np.uint8]:
    """An image as a judge sees it: RGB, (H, W, 3)."""
    image = load_image(path)
    if crop is None:
        return image
    left, top, right, bottom = crop
    return np.ascontiguousarray(image[top:bottom, left:right])


def ask(judge: Judge, questions: Iterable[JudgeQuestion]) -> Iterator[JudgeAnswer]:
    """Ask the questions one by one; a reply that is not a verdict is recorded as unparsed."""
    for question in questions:
        pair = blind(question)
        reply = judge.judge(pair)
        verdict, unparsed = (None, reply.problem) if reply.problem else parse_verdict(reply.raw)
        yield JudgeAnswer(
            provider=judge.provider,
            model=judge.model,
            prompt=question.prompt,
            seed=question.seed,
            order=question.order,
            repeat=question.repeat,
            part=question.part,
            name_a=pair.name_a,
            name_b=pair.name_b,
            verdict=verdict,
            unparsed=unparsed,
            raw=reply.raw,
            details=reply.details,
        )


def _blind_name(image: NDArray[np.uint8]) -> str:
    return f"{sha256_of(str(image.shape).encode() + image.tobytes())[:16]}.png"
