"""The strength of a preference in units of the base's own loss: `train.dpo.beta_unit: base_error`.

A pair's logit is beta / 2 times what its winner's error fell more than its loser's (`preference`). How large that can
get depends on the base, whose loss e differs with its latents, its noise levels and its training. With b = beta * e
fixed, a gain of the share g of that loss has the logit b g / 2 on every base: with b = 20, a tenth has 1.
"""

from __future__ import annotations

from dataclasses import replace

from diffusers import ModelMixin

from anomend.params.training import TrainParams
from anomend.training.data import TrainingData
from anomend.training.monitoring import validation_batches, validation_loss
from anomend.training.objectives import flow_matching

DRAWS = 64
"""Fixed draws of winners, and of losers, on which the base's loss is measured."""


def with_strength(settings: TrainParams, data: TrainingData, transformer: ModelMixin) -> TrainParams:
    """The settings with the beta that preference training uses, which may depend on the base.

    Args:
        settings: as the parameters have them.
        data: what is trained on.
        transformer: the base's, without an adapter.
    """
    if settings.method != "dpo" or settings.dpo.beta_unit == "absolute" or data.losers is None:
        return settings
    flow = flow_matching(settings)
    losses = [
        validation_loss(
            transformer,
            validation_batches(
                replace(data, instance=images),
                flow,
                draws=DRAWS,
                seed=settings.seed,
                batch_size=settings.batch_size,
            ),
            flow,
        )
        for images in (data.instance, data.losers)
    ]
    error = sum(loss for loss in losses if loss is not None) / len(losses)
    return settings.model_copy(update={"dpo": settings.dpo.model_copy(update={"beta": settings.dpo.beta / error})})
