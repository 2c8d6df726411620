"""Parameters of stage `survey` and of `make survey`: people say which picture of a pair they prefer."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints, model_validator

from anomend.params.labels import Language
from anomend.params.types import RUN_SETTING, Section, Seed, Text

UrlParameter = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_.-]{0,63}$")]
"""The name of a parameter of an address, such as PROLIFIC_PID."""
CompletionCode = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Address = Annotated[str, StringConstraints(pattern=r"^https?://[^\s<>\"']{1,2000}$")]


class SurveyTexts(Section):
    """What participants read, in another language than `survey.title`, `survey.question` and `survey.consent`."""

    title: Text
    question: Text
    consent: Text


class EndParams(Section):
    """What people are given when they leave the page in one of three ways."""

    code: CompletionCode | None = Field(
        json_schema_extra=RUN_SETTING, description="Completion code that is shown; null: none."
    )
    url: Address | None = Field(
        json_schema_extra=RUN_SETTING,
        description="Address to go back to, such as Prolific's with its code; null: none.",
    )


class RecruitingParams(Section):
    """One link for all: who comes with an id of Prolific, MTurk or another platform in the address."""

    participant_ids: list[UrlParameter] = Field(
        json_schema_extra=RUN_SETTING,
        min_length=1,
        description="Parameters of the address that name a participant; the first one that is there counts. Only a "
        "keyed hash of it is kept.",
    )
    session_ids: list[UrlParameter] = Field(
        json_schema_extra=RUN_SETTING,
        description="Further parameters of the address, such as study and session; keyed hashes of them are kept.",
    )
    quota: int | None = Field(
        json_schema_extra=RUN_SETTING,
        ge=1,
        le=10_000,
        description="Participants by the link for all; who comes later reads that the survey is complete. null: as "
        "many as survey.participants.",
    )
    idle_minutes: int = Field(
        json_schema_extra=RUN_SETTING,
        ge=5,
        le=10_080,
        description="Minutes without an answer after which an unfinished participant's place goes to somebody else.",
    )
    finished: EndParams
    full: EndParams
    screened_out: EndParams

    @model_validator(mode="after")
    def _each_once(self) -> RecruitingParams:
        names = [*self.participant_ids, *self.session_ids]
        if twice := [name for name in names if names.count(name) > 1]:
            raise ValueError(f"participant_ids and session_ids name {twice[0]} twice: name each parameter once")
        return self


class SurveyPlanningParams(Section):
    """What `make plan` assumes and aims at when it says how many participants are needed."""

    share: float = Field(
        json_schema_extra=RUN_SETTING, gt=0.5, lt=1, description="Assumed share of votes for the tuned image."
    )
    width: float = Field(
        json_schema_extra=RUN_SETTING, gt=0, lt=1, description="Width of the share's 95% interval that is aimed at."
    )
    power: float = Field(
        json_schema_extra=RUN_SETTING,
        gt=0.05,
        lt=1,
        description="Chance aimed at that the clause preference passes, or that the interval lies above one half.",
    )


class SurveyParams(Section):
    """Human judgement: the page that people answer, and the tally of their responses."""

    responses: str = Field(description="Folder with the committed responses.")
    participants: int = Field(ge=1, le=10_000, description="Number of participant codes; one per person.")
    pairs_per_prompt: int = Field(ge=1, description="Pairs per target prompt; each participant judges all of them.")
    repeats: int = Field(ge=0, description="Pairs that each participant sees twice, with sides swapped; at most half.")
    catch_pairs: int = Field(ge=0, description="Obvious pairs (an image and a damaged copy) that test attention.")
    seed: Seed = Field(description="Seed of all draws; if equal to judge.seed, people and judges see the same pairs.")
    max_failed_catches: int = Field(ge=0, description="Participants who fail more catch pairs than this are excluded.")
    min_median_ms: int = Field(ge=0, description="Participants whose median reaction is faster are excluded; ms.")
    count_incomplete: bool = Field(
        description="Whether the answers of participants who stopped early count; metrics/survey.json has their number."
    )
    languages: list[Language] = Field(
        min_length=1,
        description="Languages of the page: en, de, ko; the first is shown where the browser asks for none.",
    )
    min_screen_width: int = Field(
        ge=0,
        le=4000,
        description="Least width of the window, in pixels of the page; narrower ones are refused. 0: any.",
    )
    title: Text = Field(description="Heading of the page.")
    question: Text = Field(
        description="Question about every pair, to people and to paid judges; another one is asked, and paid, anew. "
        "Answers of people to an earlier one are set aside."
    )
    consent: Text = Field(description="What participants agree to; an empty line separates paragraphs.")
    translations: dict[Language, SurveyTexts] = Field(
        description="Title, question and consent in further languages, such as {de: {title: ..., question: ..., "
        "consent: ...}}; needed where yours are not the built-in ones, which are translated."
    )
    recruiting: RecruitingParams
    planning: SurveyPlanningParams

    @model_validator(mode="after")
    def _each_language_once(self) -> SurveyParams:
        if len(set(self.languages)) < len(self.languages):
            raise ValueError("languages names a language twice: name each once")
        if self.languages[0] in self.translations:
            raise ValueError(
                f"translations has the first language, {self.languages[0]}: write its texts in title, question, consent"
            )
        return self
