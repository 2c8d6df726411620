"""What can be known to fail before anything runs: hours on a GPU later is too late."""

from __future__ import annotations

from pathlib import Path

from anomend.detectors.table import check_detectors
from anomend.diffusion.projections import projections_of_any_base, refuse_unknown_targets
from anomend.params.params import Params
from anomend.purchasing.models import refuse_retired
from anomend.purchasing.prices import read_price


def check_before_run(params: Params, *, prices: Path, retired_models: Path) -> None:
    """Check that paid models exist and have a price, that detectors can run here, and the names of projections.

    Args:
        params: the parameters in force.
        prices: table of prices.
        retired_models: table of models that vendors no longer offer.

    Raises:
        ValueError: one of them does not; the sentence names its parameter.
    """
    for parameter, model in params.paid_models().items():
        refuse_retired(model, parameter, retired_models)
        read_price(model, prices)
    check_detectors(params)
    refuse_unknown_targets(
        params.train.target_modules, projections_of_any_base(), "the transformer of Stable Diffusion 3"
    )
