"""What the report is made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from anomend.project.model_words import ModelWords, words_in
from anomend.reporting.pairs import ImagePair, first_pairs, join_pairs

Metrics = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class JudgeExample:
    """One answer of a judge, with the pair as the judge saw it."""

    prompt: str
    seed: int
    image_a: NDArray[np.uint8]
    """RGB, shape (H, W, 3)."""
    image_b: NDArray[np.uint8]
    first: str
    """Which model drew A: base or tuned."""
    question: str
    """In words."""
    answer: str
    """The verdict in words, or why there is none."""


@dataclass(frozen=True, kw_only=True)
class ReportInputs:
    """Everything that a report shows. What is None was not part of the run, and the report says so."""

    title: str
    verdict: Metrics
    """Content of metrics/verdict.json."""
    compare: Metrics
    measure_base: Metrics
    measure_tuned: Metrics
    samples_base: pd.DataFrame
    """Image sets as `read_imagefolder` returns them: file_name, prompt, seed, group, path."""
    samples_tuned: pd.DataFrame
    images_base: pd.DataFrame
    """Per-image findings: file_name, group, prompt, seed, anomalous (0 or 1), anomalies (words, or empty)."""
    images_tuned: pd.DataFrame
    pairs_per_prompt: int = 4
    """Base | tuned pairs shown per prompt."""
    picture: str | None = None
    """Address of the side-by-side picture as the Markdown report should link it; None leaves the picture out."""
    full_size: str | None = None
    """Address of the folder with an image set per model, as seen from the page; None: the page shows what it holds."""
    sampled: Metrics | None = None
    """Content of metrics/sample_tuned.json: what the tuned model is, where it is not just a LoRA, and what it drew."""
    train: Metrics | None = None
    train_loss: pd.DataFrame | None = None
    """Columns step, loss and, where they were logged, prior_loss, validation_loss and anomaly_rate."""
    everyday: str = "Exploratory: its seeds are those of everyday runs."
    """What a run that confirms nothing is, with the confirmations of its LoRA."""
    methods: pd.DataFrame | None = None
    """The committed comparison of methods, a row per run."""
    training_samples: Mapping[int, Path] = field(default_factory=dict)
    """Pictures of the samples of each evaluation while training, by step."""
    collect: Metrics | None = None
    curate: Metrics | None = None
    judge: Metrics | None = None
    survey: Metrics | None = None
    people: Metrics | None = None
    """Content of metrics/people.json: rates of wrong pictures by people's labels."""
    passport: Metrics | None = None
    """Content of metrics/passport.json: how often the detector is right, by people's labels."""
    agreement: Metrics | None = None
    disagreements: pd.DataFrame | None = None
    """Columns prompt, seed, spread, and each rater's score; the largest first."""
    judge_examples: Mapping[str, Sequence[JudgeExample]] = field(default_factory=dict)
    """By judge, its first answers."""
    contact_sheet: Path | None = None
    """Picture of the instance images that were kept and rejected."""
    curation: pd.DataFrame | None = None
    """One row per collected image: file_name, path, kept (0 or 1), reasons, and findings: persons, area, ..."""
    replication: Metrics | None = None
    paper_judges: pd.DataFrame | None = None
    """What the paper says of its LLM judges: judge, pairs, prefers_tuned."""
    base_model: Mapping[str, str] = field(default_factory=dict)
    """What was corrected: name, repository, revision, SHA-256 of weights."""
    data_hashes: Mapping[str, str] = field(default_factory=dict)
    """What identifies each data set or model, by its path."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Versions and machine."""
    parameters: Metrics = field(default_factory=dict)
    """The resolved parameters, section by section."""

    @property
    def words(self) -> ModelWords:
        """What the two models are called."""
        return words_in(self.sampled)

    @cached_property
    def pairs(self) -> pd.DataFrame:
        """As `join_pairs` returns them; raises as it does."""
        return join_pairs(
            samples_base=self.samples_base,
            samples_tuned=self.samples_tuned,
            images_base=self.images_base,
            images_tuned=self.images_tuned,
        )

    @cached_property
    def first_pairs(self) -> list[ImagePair]:
        """The pairs that the report shows of every prompt."""
        return first_pairs(self.pairs, self.pairs_per_prompt)
