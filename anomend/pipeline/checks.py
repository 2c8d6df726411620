"""What can be known to fail before anything runs: hours on a GPU later is too late."""

from __future__ import annotations

from pathlib import Path

from anomend.detectors.anatomy import check_detector
from anomend.params.params import Params
from anomend.purchasing.models import refuse_retired
from anomend.purchasing.prices import read_price


def check_before_run(params: Params, *, prices: Path, retired_models: Path) -> None:
    """Check that paid models exist and have a price, and that detectors can run here.

    Args:
        params: the parameters.
        prices, retired_models: tables about paid models.

    Raises:
        ValueError: one of them does not; the sentence names its parameter.
    """
    for parameter, model in params.paid_models().items():
        refuse_retired(model, parameter, retired_models)
        read_price(model, prices)
    for parameter, detector in params.anatomy_detectors().items():
        if detector != "none":
            try:
                check_detector(detector)
            except ValueError as error:
                raise ValueError(f"{parameter} = {detector!r}: {error}") from error
