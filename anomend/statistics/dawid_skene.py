"""Raters who err: their error rates, and which pictures are wrong, from the answers of several raters alone.

The model is that of Dawid & Skene 1979 (doi:10.2307/2346806) with two classes of pictures, right and wrong: given its
class, raters answer a picture independently, each with probabilities of their own. Pictures come from cells, such as
base and tuned model, which differ in the share of wrong pictures and share the raters' errors; with two cells of
different shares, two raters are enough (Hui & Walter 1980, doi:10.2307/2530508). crowd-kit has the same fit without
cells, known answers or the covariance of the errors, and takes a pandas frame per fit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int_]

ANSWERS = 3
"""nothing, unsure, wrong: columns of the answers, in this order. What `unsure` says of a picture is learnt."""
NOTHING, UNSURE, WRONG = range(ANSWERS)
PRIOR = np.array([[0.90, 0.05, 0.05], [0.05, 0.05, 0.90]])
"""Answers to a right and to a wrong picture before any data. It keeps the classes from swapping their names."""
PRIOR_PICTURES = 2.0
"""Pictures of each class that the prior counts as."""
CELL_PICTURES = 0.1
"""Pictures, right and wrong, that are added to each cell, so that no share is exactly 0 or 1."""
_ITERATIONS = 2_000
_TOLERANCE = 1e-7


@dataclass(frozen=True, kw_only=True)
class RaterErrors:
    """Answers of R raters given the class of a picture, as far as the data tell."""

    answers: Floats
    """(R, 2, ANSWERS): probabilities of the answers to right (0) and wrong (1) pictures."""
    covariance: Floats
    """(D, D) of their logits, D = R * 2 * (ANSWERS - 1); the logits are of unsure and wrong against nothing."""
    shares: Floats
    """(C,): estimated share of wrong pictures by cell."""
    posterior: Floats
    """(n,): probability that a picture is wrong."""

    @property
    def sensitivity(self) -> Floats:
        """(R,): share of wrong pictures that are called wrong; `unsure` is not."""
        return self.answers[:, 1, WRONG]

    @property
    def specificity(self) -> Floats:
        """(R,): share of right pictures in which nothing is found; `unsure` is not."""
        return self.answers[:, 0, NOTHING]

    @property
    def balanced_error(self) -> Floats:
        """(R,): one number per rater, the mean of both errors, where `unsure` is half an error."""
        unsure = self.answers[:, :, UNSURE].sum(axis=1) / 2
        return (self.answers[:, 1, NOTHING] + self.answers[:, 0, WRONG] + unsure) / 2


def one_hot(answers: Ints) -> Floats:
    """Answers (n, R), -1 where a rater did not see a picture, as (n, R, ANSWERS) of 0 and 1."""
    return (np.asarray(answers)[..., None] == np.arange(ANSWERS)).astype(np.float64)


def fit_raters(
    answers: Ints,
    cells: Ints,
    *,
    known: Ints | None = None,
    prior: Floats | None = None,
    prior_pictures: float = PRIOR_PICTURES,
) -> RaterErrors:
    """Maximum of the posterior by expectation-maximisation, with the covariance of the errors by Louis' identity.

    Args:
        answers: (n, R) of NOTHING, UNSURE, WRONG; -1 where the rater did not see the picture.
        cells: (n,), number of the cell of each picture, from 0.
        known: (n,), 0 or 1 for gold pictures whose class is known, else -1; they are in no cell's share.
        prior: (R, 2, ANSWERS) or (2, ANSWERS), probabilities of the answers before any data.
        prior_pictures: pictures of each class that the prior counts as.

    Raises:
        ValueError: there are no answers.

    Reference for the covariance: Louis 1982, doi:10.1111/j.2517-6161.1982.tb01203.x.
    """
    seen = one_hot(answers)
    n, raters, _ = seen.shape
    if not seen.any():
        raise ValueError("errors of raters need at least one answer")
    fixed = np.full(n, -1) if known is None else np.asarray(known)
    free = fixed < 0
    members = np.zeros((n, int(np.max(cells)) + 1))
    members[np.arange(n), cells] = free
    added = prior_pictures * np.broadcast_to(PRIOR if prior is None else prior, (raters, 2, ANSWERS))
    votes = seen[..., WRONG].sum(axis=1) + seen[..., UNSURE].sum(axis=1) / 2
    flat = seen.reshape(n, -1)
    posterior = np.where(free, np.clip(votes / np.maximum(1, seen.sum(axis=(1, 2))), 0.02, 0.98), fixed)
    for _ in range(_ITERATIONS):
        counts = np.stack([(1 - posterior) @ flat, posterior @ flat]).reshape(2, raters, ANSWERS)
        counts = counts.transpose(1, 0, 2) + added
        probabilities = counts / counts.sum(axis=2, keepdims=True)
        shares = (members.T @ posterior + CELL_PICTURES) / (members.sum(axis=0) + 2 * CELL_PICTURES)
        ratios = np.log(probabilities[:, 1]) - np.log(probabilities[:, 0])
        odds = flat @ ratios.reshape(-1) + np.log(shares / (1 - shares))[cells]
        updated = np.where(free, 1 / (1 + np.exp(-np.clip(odds, -700, 700))), fixed)
        change, posterior = np.abs(updated - posterior).max(), updated
        if change < _TOLERANCE:
            break
    return RaterErrors(
        answers=probabilities,
        covariance=_covariance(seen, members, posterior, probabilities, shares, counts),
        shares=shares,
        posterior=posterior,
    )


def _covariance(
    seen: Floats, members: Floats, posterior: Floats, probabilities: Floats, shares: Floats, counts: Floats
) -> Floats:
    """Of the logits: inverse of the information about complete data less what the unknown classes take from it."""
    n, raters, _ = seen.shape
    free = ANSWERS - 1
    blocks = raters * 2
    complete = np.zeros((blocks * free + len(shares),) * 2)
    for block, (chances, total) in enumerate(
        zip(probabilities.reshape(blocks, ANSWERS)[:, 1:], counts.reshape(blocks, ANSWERS).sum(axis=1), strict=True)
    ):
        place = slice(block * free, (block + 1) * free)
        complete[place, place] = total * (np.diag(chances) - np.outer(chances, chances))
    cells = np.arange(blocks * free, len(complete))
    complete[cells, cells] = (members.sum(axis=0) + 2 * CELL_PICTURES) * shares * (1 - shares)
    # How the score of complete data differs between a wrong and a right picture.
    differs = (seen[:, :, None, 1:] - probabilities[None, :, :, 1:]) * np.asarray(seen.any(axis=2))[:, :, None, None]
    differs = differs * np.array([-1.0, 1.0])[None, None, :, None]
    contrast = np.hstack([differs.reshape(n, -1), members])
    unknown = (contrast * (posterior * (1 - posterior))[:, None]).T @ contrast
    values, vectors = np.linalg.eigh(complete - unknown)
    # A direction of which the data say nothing has no information: its variance is then huge, not infinite.
    inverse = (vectors / np.maximum(values, 1e-8)) @ vectors.T
    return inverse[: blocks * free, : blocks * free]
