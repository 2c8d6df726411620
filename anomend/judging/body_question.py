"""The question about a single picture, whether anything is wrong with the body, as models are asked it.

Question, guide and kinds are those that people read on the page of labels (`anomend/labelling/texts/en.json`). They are
part of the key of every stored answer: changing one letter means paying for all answers again.
"""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, WithJsonSchema

from anomend.judging.verdicts import Counts, Reason, schema_problem
from anomend.judging.wording import sent_schema
from anomend.labelling.records import KINDS
from anomend.labelling.texts import Texts, read_texts

SYSTEM = (
    "You look at one picture that a computer program has drawn. First count people, heads, arms and legs, as they are "
    "drawn and not as they should be. Then list the kinds of what is wrong, then answer the question: 'nothing', "
    "'wrong', or 'unsure' if you cannot tell. Give the reason in one short sentence."
)


def _known(kind: str) -> str:
    if kind not in KINDS:
        raise ValueError("not a kind")
    return kind


Answer = Literal["nothing", "unsure", "wrong"]
Kind = Annotated[str, AfterValidator(_known), WithJsonSchema({"enum": list(KINDS), "type": "string"})]


class BodyVerdict(BaseModel):
    """What a model says of one picture. It writes the fields in this order, so it counts before it decides."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    counts: Counts = Field(description="What the picture shows.")
    kinds: list[Kind] = Field(description="What is wrong with the body; empty if nothing is.")
    answer: Answer = Field(description="The answer to the question.")
    reason: Reason = Field(description="Why, in one short sentence.")


@cache
def people_read() -> Texts:
    """The texts that people read, in English."""
    return read_texts(["en"])[0]


def body_text(part: str | None = None) -> str:
    """The question with its guide and kinds.

    Args:
        part: the body part in question, shown in a crop; None: the whole picture.
    """
    asked = people_read().content["asked"]
    # The guide's last paragraph says how to click on the page.
    guide = " ".join(asked["guide"][:-1])
    kinds = " ".join(f"{kind}: {asked['examples'][kind]}" for kind in KINDS)
    crop = "" if part is None else f"The picture is cut from a larger one. Look at the {part} alone.\n"
    return f"{guide}\nKinds: {kinds}\n{crop}{asked['question']}"


def body_schema() -> dict[str, Any]:
    """The JSON schema of `BodyVerdict` as it is sent."""
    return sent_schema(BodyVerdict)


def parse_body(raw: str) -> tuple[BodyVerdict | None, str | None]:
    """Read a reply by the schema: (verdict, None), or (None, the reason why it is not one)."""
    try:
        return BodyVerdict.model_validate_json(raw), None
    except ValidationError as error:
        return None, schema_problem(error)
