"""What a judge answers about a pair: counts first, then the criteria, then the question itself, then a reason."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

Choice = Literal["A", "B", "tie"]
CRITERIA = ("anatomy", "physical_plausibility", "lighting", "prompt")
MAX_REASON = 500
"""Characters that are kept of a reason. Neither vendor enforces a length, and a long reason is paid all the same, so it
is shortened; the raw answer has all of it."""


def _shortened(text: str) -> str:
    return text if len(text) <= MAX_REASON else text[: MAX_REASON - 1] + "…"


Reason = Annotated[str, AfterValidator(_shortened)]


class Counts(BaseModel):
    """What a judge counts in one image, before it decides anything."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    people: int = Field(description="People.")
    heads: int = Field(description="Heads, also those that belong to nobody.")
    arms: int = Field(description="Arms, also those that belong to nobody; one that is hidden does not count.")
    legs: int = Field(description="Legs, also those that belong to nobody; one that is hidden does not count.")


class PairVerdict(BaseModel):
    """A judge's verdict on images A and B; a criterion that it does not assess is null, which is not a tie.

    A model writes the fields in this order, so it counts before it decides. The descriptions are sent to LLM judges, so
    they are part of the keys of stored answers: do not change them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    image_a: Counts | None = Field(default=None, description="What image A shows.")
    image_b: Counts | None = Field(default=None, description="What image B shows.")
    anatomy: Choice | None = Field(description="Whose bodies have the right parts, in number and in place.")
    physical_plausibility: Choice | None = Field(description="In which the scene could exist.")
    lighting: Choice | None = Field(description="Whose light and shadows agree with each other.")
    prompt: Choice | None = Field(description="Which shows better what the prompt asks for.")
    overall: Choice = Field(description="The answer to the question.")
    reason: Reason = Field(description="Why, in one short sentence.")


def parse_verdict(raw: str) -> tuple[PairVerdict | None, str | None]:
    """Read a reply by the schema: (verdict, None), or (None, the reason why it is not a verdict)."""
    try:
        return PairVerdict.model_validate_json(raw), None
    except ValidationError as error:
        return None, schema_problem(error)


def schema_problem(error: ValidationError) -> str:
    """The first thing that is wrong with a reply, without the reply itself."""
    problem = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(map(str, problem['loc'])) or 'reply'}: {problem['msg']}"
