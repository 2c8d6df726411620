"""When a training ends before its last step, and which weights it then keeps.

All are functions of the progress alone, so that a resumed run ends where an uninterrupted one does.
"""

from __future__ import annotations

from anomend.params.training import TrainParams
from anomend.training.progress import Progress
from anomend.training.round_reports import detector_gap, diversity


def fired_guard(progress: Progress, settings: TrainParams) -> str | None:
    """The parameter whose limit the last round or evaluation broke: the training harms more than it learns; None: all
    is well."""
    if len(progress.history) and progress.history.evaluations[-1].harmful:
        return "train.monitor.max_held_out_rate"
    if progress.rounds and settings.nft.min_diversity:
        last = diversity(progress.rounds)
        if last is not None and last < settings.nft.min_diversity:
            return "train.nft.min_diversity"
    if progress.rounds and settings.nft.max_detector_gap is not None:
        gap = detector_gap(progress.rounds)
        if gap is not None and gap > settings.nft.max_detector_gap:
            return "train.nft.max_detector_gap"
    return None


def stopped_by(progress: Progress, settings: TrainParams) -> str | None:
    """The parameter that ends the training: a guard's, or its patience; None: nothing but the number of steps."""
    if guard := fired_guard(progress, settings):
        return guard
    early = progress.done < settings.steps
    return (
        "train.monitor.patience" if early and progress.history.no_longer_improves(settings.monitor.patience) else None
    )


def is_finished(progress: Progress, settings: TrainParams) -> bool:
    """Whether no further step is made."""
    return progress.done >= settings.steps or stopped_by(progress, settings) is not None


def keeps_best(progress: Progress, settings: TrainParams) -> bool:
    """Whether the weights of the best evaluation are the result: as `monitor.keep` says, or because the last ones broke
    a guard's limit. Without an evaluation that can be the best, the last weights are."""
    wanted = settings.monitor.keep == "best" or fired_guard(progress, settings) is not None
    return wanted and progress.history.best is not None
