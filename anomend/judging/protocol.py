"""How a judge is asked: blind pairs, both orders, k repeats, and a verdict by schema that is never guessed.

The notes of FastChat's `llm_judge` apply: asking, storing and analysing are separate steps over JSONL, so that an
analysis never asks again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from anomend.pictures.image_sets import load_image
from anomend.project.seeding import numpy_generator

Box = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels; right and bottom are outside."""
Choice = Literal["A", "B", "tie"]
Order = Literal["base_first", "tuned_first"]
ORDERS: tuple[Order, Order] = ("base_first", "tuned_first")
CRITERIA = ("anatomy", "physical_plausibility", "lighting", "prompt")


class PairVerdict(BaseModel):
    """What a judge says of images A and B; a criterion that it does not look at is null, which is not a tie."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    overall: Choice = Field(description="Which image is better overall.")
    anatomy: Choice | None = Field(description="Whose bodies have the right parts, in number and in place.")
    physical_plausibility: Choice | None = Field(description="In which the scene could exist.")
    lighting: Choice | None = Field(description="Whose light and shadows agree with each other.")
    prompt: Choice | None = Field(description="Which shows better what the prompt asks for.")
    reason: str = Field(max_length=500, description="Why, in one sentence.")


@dataclass(frozen=True)
class Question:
    """One pair (same prompt, same seed) shown in one order."""

    prompt: str
    seed: int
    path_base: Path
    path_tuned: Path
    order: Order
    repeat: int
    """Number of the repeat, from 0."""
    part: str | None = None
    """The body part that is asked about, in crops; None: the whole images."""
    crop_base: Box | None = None
    crop_tuned: Box | None = None


@dataclass(frozen=True)
class BlindPair:
    """All that a judge gets to see of a question: nothing in it tells which model drew which image."""

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
    """A judge's answer as it came."""

    raw: str
    """Meant to be JSON of a `PairVerdict`; kept as it is where it is not."""
    details: dict[str, Any] = field(default_factory=dict)
    """Whatever else is worth keeping: request id, usage, cost."""


class Judge(Protocol):
    """Someone who compares two images.

    `provider` and `model` name the judge in every output. `judge` answers one blind pair; a refusal or a cut answer is
    a `Reply` like any other (it will be counted as unparsed), while a failure to get an answer at all is an exception.
    """

    @property
    def provider(self) -> str: ...

    @property
    def model(self) -> str: ...

    def judge(self, pair: BlindPair) -> Reply: ...


class Answer(BaseModel):
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
    unparsed: str | None = Field(description="Why the reply is no verdict; null where it is one.")
    raw: str
    details: dict[str, Any]


def choose_pairs(base: pd.DataFrame, tuned: pd.DataFrame, per_prompt: int, seed: int) -> pd.DataFrame:
    """Pair two image sets by (prompt, seed) and draw some pairs of each prompt at random.

    Args:
        base: the base model's images: columns `prompt`, `seed`, `path`.
        tuned: the tuned model's, likewise.
        per_prompt: pairs a prompt at most.
        seed: seed of the draw, which does not depend on the order of the rows.

    Returns:
        Columns `prompt`, `seed`, `path_base`, `path_tuned`, sorted by prompt and seed.

    Raises:
        ValueError: a (prompt, seed) stands twice in one set, or the sets share none.
    """
    keys = ["prompt", "seed"]
    for name, table in (("base", base), ("tuned", tuned)):
        if table.duplicated(keys).any():
            row = table[table.duplicated(keys)].iloc[0]
            raise ValueError(f"the {name} images hold {row['prompt']!r} at seed {row['seed']} twice: keep one")
    both = base[[*keys, "path"]].merge(tuned[[*keys, "path"]], on=keys, suffixes=("_base", "_tuned")).sort_values(keys)
    if both.empty:
        raise ValueError("base and tuned images share no prompt and seed: sample both with the same prompts and seeds")
    chosen = [
        rows.iloc[np.sort(numpy_generator(seed, "judge pairs", str(prompt)).permutation(len(rows))[:per_prompt])]
        for prompt, rows in both.groupby("prompt", sort=True)
    ]
    return pd.concat(chosen, ignore_index=True)


def questions(pairs: pd.DataFrame, repeats: int) -> list[Question]:
    """Every pair in both orders, `repeats` times each.

    Args:
        pairs: as `choose_pairs` returns them.
        repeats: times that each order is asked; 1 is enough for a judge that does not draw lots.
    """
    columns = (pairs["prompt"], pairs["seed"], pairs["path_base"], pairs["path_tuned"])
    return [
        Question(str(prompt), int(seed), Path(base), Path(tuned), order, repeat)
        for prompt, seed, base, tuned in zip(*columns, strict=True)
        for repeat in range(repeats)
        for order in ORDERS
    ]


def blind(question: Question) -> BlindPair:
    """A question as a judge gets to see it."""
    first = _cut(load_image(question.path_base), question.crop_base)
    second = _cut(load_image(question.path_tuned), question.crop_tuned)
    if question.order == "tuned_first":
        first, second = second, first
    names = _blind_name(first), _blind_name(second)
    return BlindPair(question.prompt, first, second, *names, question.repeat, question.part)


def _cut(image: NDArray[np.uint8], box: Box | None) -> NDArray[np.uint8]:
    if box is None:
        return image
    left, top, right, bottom = box
    return np.ascontiguousarray(image[top:bottom, left:right])


def ask(judge: Judge, asked: Iterable[Question]) -> Iterator[Answer]:
    """Put the questions one by one; a reply that is no verdict is recorded as unparsed."""
    for question in asked:
        pair = blind(question)
        reply = judge.judge(pair)
        verdict, unparsed = parse(reply.raw)
        yield Answer(
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


def parse(raw: str) -> tuple[PairVerdict | None, str | None]:
    """Read a reply by the schema: (verdict, None), or (None, why it is no verdict)."""
    try:
        return PairVerdict.model_validate_json(raw), None
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        return None, f"{'.'.join(map(str, problem['loc'])) or 'reply'}: {problem['msg']}"


def _blind_name(image: NDArray[np.uint8]) -> str:
    return f"{hashlib.sha256(str(image.shape).encode() + image.tobytes()).hexdigest()[:16]}.png"
