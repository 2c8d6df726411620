"""What can be known to fail before anything runs: hours on a GPU later is too late."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from anomend.confirming.records import record_in_force
from anomend.detectors.table import check_detectors
from anomend.diffusion.base_models import family_of_base, pinned_revision
from anomend.diffusion.projections import refuse_unknown_targets
from anomend.diffusion.skipped_layers import blocks_of, refuse_unknown_layers, refuse_unskippable
from anomend.params.params import Params
from anomend.pipeline.inputs import absent_inputs
from anomend.project.extras import refuse_missing
from anomend.project.paths import CONFIRMATIONS
from anomend.purchasing.models import refuse_retired
from anomend.purchasing.prices import read_price
from anomend.surveying.texts import texts_of


def check_before_run(params: Params, *, root: Path, prices: Path, retired_models: Path) -> None:
    """Check sources, seeds that are for confirmations, paid models and their prices, detectors, the base and what its
    family can do, the survey's translations, optional packages, and files that parameters name.

    Args:
        params: the parameters in force.
        root: the project.
        prices: table of prices.
        retired_models: table of models that vendors no longer offer.

    Raises:
        ValueError: one of them cannot be used; the sentence names its parameter.
    """
    _refuse_drawn_people(params)
    record_in_force(params, root / CONFIRMATIONS)
    for parameter, model in params.paid_models().items():
        refuse_retired(model, parameter, retired_models)
        read_price(model, prices)
    check_detectors(params)
    _check_family(params)
    texts_of(params.survey)
    for setting, package in _optional_packages(params):
        refuse_missing(package, setting)
    absent_inputs(root, params)


def _check_family(params: Params) -> None:
    """What the base's family cannot do, and a base whose weights are not pinned."""
    base, skipped = params.base, params.sample.tuned.skip_layers.layers
    family = family_of_base(base.name)
    pinned_revision(base.name, base.local_folder, base.revision)
    refuse_unknown_targets(params.train.target_modules, family.projections(), f"the transformer of {family.title}")
    if params.train.compile == "whole":
        family.refuse_one_graph()
    if skipped:
        refuse_unskippable(family)
    refuse_unknown_layers(skipped, blocks_of(base.name, base.local_folder))


def _refuse_drawn_people(params: Params) -> None:
    """A real base cannot learn from the miniature's drawn people."""
    collect, name = params.collect, params.base.name
    if name == "mini" or "drawn_people" not in collect.counts:
        return
    if "drawn_people" in collect.mix:
        raise ValueError(
            f"collect.mix names drawn_people, which are 64 pixels wide, and base.name = {name!r} needs photographs: "
            "leave them out"
        )
    raise ValueError(
        f"collect.source = 'drawn_people' draws people of 64 pixels, and base.name = {name!r} needs photographs: set it"
        " in params.yaml to folder (yours in data/own), openai (docs/buying_images.md), paper (`make paper-images`) or "
        "base (docs/rewards.md), "
        f"or run `dvc exp run -S profile={params.profile} -S collect.source=folder`"
    )


def _optional_packages(params: Params) -> Iterator[tuple[str, str]]:
    """Settings that need a package of the extras, each with the package."""
    train = params.train
    if train.makes_lora and train.quantise_base != "none":
        yield f"train.quantise_base = {train.quantise_base!r}", "bitsandbytes"
    if train.makes_lora and train.optimizer == "adamw_8bit":
        yield f"train.optimizer = {train.optimizer!r}", "bitsandbytes"
    if params.base.quantise != "none":
        yield f"base.quantise = {params.base.quantise!r}", "bitsandbytes"
    if params.base.t5_8bit:
        yield "base.t5_8bit = true", "bitsandbytes"
    if params.encode.t5_8bit:
        yield "encode.t5_8bit = true", "bitsandbytes"
    for tracker in train.monitor.trackers if train.makes_lora else ():
        yield f"train.monitor.trackers = [{tracker}]", tracker
    if params.measure.extractor == "inception":
        yield "measure.extractor = 'inception'", "torch_fidelity"
