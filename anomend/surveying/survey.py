"""A survey from its two ends: the page that participants see, and the count of their answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from anomend.params.evaluation import SurveyParams
from anomend.surveying.exclusion import ExclusionRules
from anomend.surveying.key import SurveyKey
from anomend.surveying.responses import read_responses
from anomend.surveying.selection import about_samples, draw_images, survey_images
from anomend.surveying.site import Texts, build_site
from anomend.surveying.tally import per_pair, tally


@dataclass(frozen=True, kw_only=True)
class SurveyResult:
    """What the participants say."""

    metrics: dict[str, Any]
    """See `tally`."""
    pairs: pd.DataFrame
    """See `per_pair`."""
    provenance: dict[str, Any]
    """Names of the response files, rules of exclusion, and the seed."""


def build_survey(pairs: pd.DataFrame, held_out: pd.DataFrame, params: SurveyParams, *, site: Path) -> SurveyKey:
    """Write the survey's page, and return its key.

    Args:
        pairs: the pairs to show: columns prompt, seed, path_base, path_tuned.
        held_out: images for the catch pairs: columns prompt, seed, path.
        params: participants, repeats, catch pairs, texts, seed.
        site: folder of the page; what is in it is replaced.
    """
    base, tuned = (survey_images(pairs.rename(columns={f"path_{model}": "path"})) for model in ("base", "tuned"))
    catches = draw_images(held_out, min(params.catch_pairs, len(held_out)), params.seed)
    return build_site(
        site,
        pairs=list(zip(base, tuned, strict=True)),
        whole=survey_images(catches),
        texts=Texts(title=params.title, question=params.question, consent=params.consent),
        participants=params.participants,
        repeats=min(params.repeats, len(pairs) // 2),
        seed=params.seed,
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
    current = about_samples(responses, base, tuned)
    rules = ExclusionRules(max_failed_catches=params.max_failed_catches, min_median_ms=params.min_median_ms)
    return SurveyResult(
        metrics=tally(responses[current], params.seed, rules=rules, on_other_images=int((~current).sum())),
        pairs=per_pair(responses[current], rules),
        provenance={"files": [path.name for path in files], "exclusion": asdict(rules), "seed": params.seed},
    )
