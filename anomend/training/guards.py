"""Guards: limits whose breach ends a training before its last step, because it harms more than it learns."""

from __future__ import annotations

from anomend.params.training import TrainParams
from anomend.training.progress import Progress
from anomend.training.round_reports import diversity


def fired_guard(progress: Progress, settings: TrainParams) -> str | None:
    """The parameter whose limit the last round or evaluation broke; None: all is well.

    It is a function of the progress alone, so that a resumed run stops where an uninterrupted one does.
    """
    if len(progress.history) and progress.history.evaluations[-1].harmful:
        return "train.monitor.max_held_out_rate"
    if progress.rounds and settings.nft.min_diversity:
        last = diversity(progress.rounds)
        if last is not None and last < settings.nft.min_diversity:
            return "train.nft.min_diversity"
    return None
