"""A survey from its two ends: the page that participants see, and the count of their answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from anomend.params.survey import SurveyParams
from anomend.surveying.exclusion import ExclusionRules
from anomend.surveying.key import SurveyKey
from anomend.surveying.responses import read_responses
from anomend.surveying.selection import about_samples, draw_images, survey_images
from anomend.surveying.site import build_site
from anomend.surveying.tally import per_pair, tally
from anomend.surveying.texts import current_versions, texts_of


@dataclass(frozen=True, kw_only=True)
class SurveyResult:
    """What the participants say."""

    metrics: dict[str, Any]
    """See `tally`."""
    pairs: pd.DataFrame
    """See `per_pair`."""
    provenance: dict[str, Any]
    """Names of the response files, rules of exclusion, and the seed."""
    notes: list[str]
    """Sentences about answers that were set aside."""


def build_survey(pairs: pd.DataFrame, held_out: pd.DataFrame, params: SurveyParams, *, site: Path) -> SurveyKey:
    """Write the survey's page, and return its key.

    Args:
        pairs: the pairs to show: columns prompt, seed, path_base, path_tuned.
        held_out: images for the catch pairs: columns prompt, seed, path.
        params: participants, repeats, catch pairs, texts, seed.
        site: folder of the page; what is in it is replaced.

    Raises:
        ValueError: a text has no translation in one of the languages.
    """
    texts = texts_of(params)
    base, tuned = (survey_images(pairs.rename(columns={f"path_{model}": "path"})) for model in ("base", "tuned"))
    catches = draw_images(held_out, min(params.catch_pairs, len(held_out)), params.seed)
    return build_site(
        site,
        pairs=list(zip(base, tuned, strict=True)),
        whole=survey_images(catches),
        texts=texts,
        participants=params.participants,
        repeats=min(params.repeats, len(pairs) // 2),
        seed=params.seed,
        min_screen_width=params.min_screen_width,
    )


def count_votes(
    files: Sequence[Path], *, base: pd.DataFrame, tuned: pd.DataFrame, params: SurveyParams
) -> SurveyResult:
    """Count the answers about today's samples.

    Args:
        files: response files.
        base: the base model's samples of target prompts: columns prompt, seed, path.
        tuned: the tuned model's.
        params: rules of exclusion, and the seed.

    Raises:
        ValueError: a response file is not valid.
    """
    responses = read_responses(files)
    notes = []
    current_texts = responses["texts"].isin(current_versions(params))
    other_texts, others = int((~current_texts).sum()), responses[~current_texts]["participant"].nunique()
    if other_texts:
        notes.append(
            f"{other_texts} answers by {others} participants are to another question than today's, and are not counted:"
            " set survey.question back to count them"
        )
    responses = responses[current_texts]
    stopped = stopped_early(responses)
    if not params.count_incomplete:
        responses = responses[~responses["participant"].isin(stopped)]
    current = about_samples(responses, base, tuned)
    rules = ExclusionRules(max_failed_catches=params.max_failed_catches, min_median_ms=params.min_median_ms)
    metrics = tally(responses[current], params.seed, rules=rules, on_other_images=int((~current).sum()))
    metrics |= {"on_other_texts": other_texts, "incomplete": len(stopped), "incomplete_count": params.count_incomplete}
    if metrics["n"] == 0 and not current.any():
        metrics["reason"] = _why_none(metrics, other_texts=other_texts, stopped=len(stopped))
    named = {"files": [path.name for path in files]} if files else {}
    return SurveyResult(
        metrics=metrics,
        pairs=per_pair(responses[current], rules),
        provenance={**named, "exclusion": asdict(rules), "seed": params.seed},
        notes=notes,
    )


def stopped_early(responses: pd.DataFrame) -> list[str]:
    """Participants who answered fewer trials than they were asked; files that do not say how many were asked are whole.

    Args:
        responses: the columns of `responses.FILE_COLUMNS`.
    """
    asked = pd.to_numeric(responses["trials"], errors="coerce").groupby(responses["participant"]).max()
    answered = responses.groupby("participant").size()
    return [str(participant) for participant in asked.index[answered < asked]]


def _why_none(metrics: dict[str, Any], *, other_texts: int, stopped: int) -> str:
    """Why nothing counts."""
    if metrics["on_other_images"]:
        return str(metrics["reason"])
    if other_texts and not stopped:
        return f"all {other_texts} answers are to another question than today's"
    if stopped:
        return f"all {stopped} participants stopped early, and survey.count_incomplete is false"
    return str(metrics["reason"])
