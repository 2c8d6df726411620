"""What participants of the survey read, in each language, and the versions of what they are asked and agree to.

The page's own words are in `texts/`, one file per language. Title, question and consent are the researcher's, in the
survey's first language; those of the defaults are translated in the files, paragraph by paragraph, and others need
translations of their own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from anomend.labelling.texts import read_page_texts, version_of
from anomend.params.labels import Language
from anomend.params.survey import SurveyParams

FOLDER = Path(__file__).with_name("texts")
READS = ("texts/*.json",)
"""Files that this module reads: a change of them is a change of its code."""
CHOICES = ("left", "unsure", "right")


@dataclass(frozen=True, kw_only=True)
class OwnTexts:
    """What the researcher writes: plain text, in which markup is shown verbatim."""

    title: str
    question: str
    consent: str
    """Paragraphs are separated by an empty line."""


@dataclass(frozen=True, kw_only=True)
class Texts:
    """The texts in one language."""

    language: str
    version: str
    """Of all that decides an answer: the question, the words above the prompt, and the choices."""
    consent_version: str
    content: dict[str, Any]
    """What the page is given: `language` (its own name), `asked`, `page`, `consent_version`."""


def survey_texts(own: OwnTexts, *, languages: Sequence[str], translations: Mapping[str, OwnTexts]) -> list[Texts]:
    """The texts in these languages, in their order; the researcher's own are in the first one.

    Raises:
        ValueError: a further language has no translation of title, question or consent.
    """
    texts = []
    for place, language in enumerate(languages):
        try:
            texts.append(_texts(language, _translated(own, language, translations)))
        except ValueError:
            if place:
                raise
            texts.append(_texts(language, own))
    return texts


def texts_of(params: SurveyParams) -> list[Texts]:
    """The texts of a survey.

    Raises:
        ValueError: see `survey_texts`.
    """
    return survey_texts(_own(params), languages=params.languages, translations=_translations(params))


def current_versions(params: SurveyParams) -> set[str]:
    """Versions of today's question in every language in which there is one, also in those no longer shown."""
    versions = {text.version for text in texts_of(params)}
    for language in set(get_args(Language)) - set(params.languages):
        try:
            own = _translated(_own(params), language, _translations(params))
        except ValueError:
            continue
        versions.add(_texts(language, own).version)
    return versions


def _own(params: SurveyParams) -> OwnTexts:
    return OwnTexts(title=params.title, question=params.question, consent=params.consent)


def _translations(params: SurveyParams) -> dict[str, OwnTexts]:
    return {language: OwnTexts(**text.model_dump()) for language, text in params.translations.items()}


def _translated(own: OwnTexts, language: str, translations: Mapping[str, OwnTexts]) -> OwnTexts:
    if language in translations:
        return translations[language]
    known = _file(language)["translations"]
    if language == "en":  # What the files translate is English.
        known = {text: text for translated in ("de", "ko") for text in _file(translated)["translations"]}
    parts = {"title": [own.title], "question": [own.question], "consent": _paragraphs(own.consent)}
    for name, texts in parts.items():
        if any(_plain(text) not in known for text in texts):
            raise ValueError(
                f"survey.{name} is not the built-in text, and has no translation in {language!r}: write title, question"
                f" and consent in survey.translations.{language}, or take {language} out of survey.languages"
            )
    title, question, consent = ([known[_plain(text)] for text in texts] for texts in parts.values())
    return OwnTexts(title=title[0], question=question[0], consent="\n\n".join(consent))


def _texts(language: str, own: OwnTexts) -> Texts:
    content = _file(language)
    asked = content["asked"] | {"question": own.question}
    consent = _paragraphs(own.consent)
    consent_version = version_of(language, consent)
    return Texts(
        language=language,
        version=version_of(language, asked),
        consent_version=consent_version,
        content={
            "language": content["language"],
            "asked": asked,
            "page": content["page"] | {"title": own.title, "consent": consent},
            "consent_version": consent_version,
        },
    )


def _file(language: str) -> dict[str, Any]:
    return read_page_texts(FOLDER / f"{language}.json", {"answers": CHOICES})


def _paragraphs(text: str) -> list[str]:
    return [part.strip() for part in re.split(r"\n\s*\n", text)]


def _plain(text: str) -> str:
    return " ".join(text.split())
