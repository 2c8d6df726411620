"""The question about a single picture, whether anything is wrong with the body, as models are asked it.

People read the same question, answers and kinds on the page of labels. The words are part of the key of every stored
answer: changing one letter means paying for all answers again.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from anomend.judging.verdicts import Counts, Reason, schema_problem
from anomend.judging.wording import sent_schema
from anomend.project.files import sha256_of

Answer = Literal["nothing", "unsure", "wrong"]
Kind = Literal[
    "extra_limb",
    "missing_limb",
    "detached_limb",
    "fused_limb",
    "bent_wrong",
    "wrong_length",
    "hand",
    "foot",
    "face",
    "other",
]
QUESTION = "Is anything wrong with the body?"
GUIDE = (
    "Look at the body of every person in the picture: count arms and legs, follow each from its joint to its end, then "
    "look at hands, feet and face. Wrong is what a real body cannot look like. A body part that is hidden behind "
    "something, or outside the picture, is not wrong. Style, colours, clothes and background do not matter."
)
KINDS: dict[Kind, str] = {
    "extra_limb": "There is one arm or leg too many.",
    "missing_limb": "An arm or leg is missing, and nothing hides it.",
    "detached_limb": "An arm or leg is not joined to the body.",
    "fused_limb": "Two limbs, or a limb and something else, have grown together.",
    "bent_wrong": "A joint bends where or how no joint does.",
    "wrong_length": "A limb is much longer or shorter than its twin.",
    "hand": "Wrong number of fingers, or a hand that is no hand.",
    "foot": "Wrong number of toes, or a foot that is no foot.",
    "face": "Eyes, nose, mouth or ears are wrong.",
    "other": "Anything else about the body that cannot be.",
}
"""What each kind means."""
SYSTEM = (
    "You look at one picture that a computer program has drawn. First count people, heads, arms and legs, as they are "
    "drawn and not as they should be. Then list the kinds of what is wrong, then answer the question: 'nothing', "
    "'wrong', or 'unsure' if you cannot tell. Give the reason in one short sentence."
)


class BodyVerdict(BaseModel):
    """What a model says of one picture. It writes the fields in this order, so it counts before it decides."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    counts: Counts = Field(description="What the picture shows.")
    kinds: list[Kind] = Field(description="What is wrong with the body; empty if nothing is.")
    answer: Answer = Field(description="The answer to the question.")
    reason: Reason = Field(description="Why, in one short sentence.")


def body_text(part: str | None = None) -> str:
    """The question with its guide and kinds.

    Args:
        part: the body part in question, shown in a crop; None: the whole picture.
    """
    kinds = " ".join(f"{kind}: {meaning}" for kind, meaning in KINDS.items())
    crop = "" if part is None else f"The picture is cut from a larger one. Look at the {part} alone.\n"
    return f"{GUIDE}\nKinds: {kinds}\n{crop}{QUESTION}"


def body_schema() -> dict[str, Any]:
    """The JSON schema of `BodyVerdict` as it is sent."""
    return sent_schema(BodyVerdict)


def texts_version() -> str:
    """A version of all that decides an answer, such as `models-3f2a9c1b0d4e`."""
    return f"models-{sha256_of(SYSTEM + body_text())[:12]}"


def parse_body(raw: str) -> tuple[BodyVerdict | None, str | None]:
    """Read a reply by the schema: (verdict, None), or (None, the reason why it is not one)."""
    try:
        return BodyVerdict.model_validate_json(raw), None
    except ValidationError as error:
        return None, schema_problem(error)
