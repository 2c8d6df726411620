"""What a step minimises: DreamBooth with prior preservation, Flow-DPO, or DiffusionNFT, on one batch.

    dreambooth   L = mean_instance l + prior_loss_weight * mean_class l            (Ruiz et al. 2023, eq. 2)
    dpo          L = mean_pairs flow_dpo + instance_loss_weight * mean_winners l + prior_loss_weight * mean_class l
    nft, labels  L = mean_drawn (negative_aware + kl_weight * kl + norm_weight * norm_excess)
                     + prior_loss_weight * mean_class d

l is the flow-matching loss of a sample, d the squared difference of its velocity from the base's, and kl is d, weighed
by the noise level. Means are over the whole step. A batch that is a part of the step returns its share of them, so that
parts and processes add up to the step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch

from anomend.families.family import Family, to_dtype
from anomend.families.table import family_of
from anomend.params.training import TrainParams
from anomend.training.data import CLASS, INSTANCE, LOSER, Batch
from anomend.training.flow_matching import FlowMatching
from anomend.training.negative_aware import kl_loss, negative_aware_loss, norm_excess, norm_ratio
from anomend.training.preference import PairErrors, flow_dpo_loss, preference_accuracy

SIGMA_BINS = 5
"""Number of equal bins of [0, 1] in which losses are reported by noise level."""


@dataclass(frozen=True, kw_only=True)
class StepSums:
    """A batch's share of its step."""

    loss: torch.Tensor
    """Share of the loss, a scalar; backward is called on it."""
    logged: dict[str, torch.Tensor]
    """Detached shares of the step's means, scalars."""
    bins: torch.Tensor
    """Sum of the instance samples' losses, and their number, by bin of sigma, (2, SIGMA_BINS)."""


def flow_matching(settings: TrainParams) -> FlowMatching:
    """The objective that the parameters select."""
    return FlowMatching(
        scheme=settings.sigma_scheme,
        shift=settings.sigma_shift,
        mean=settings.sigma_mean,
        std=settings.sigma_std,
        mode_scale=settings.mode_scale,
        levels=1000 if settings.quirks.tabled_sigmas else 0,
        weighting=settings.loss_weighting,
        preconditioning="edm" if settings.quirks.edm_preconditioning else "none",
    )


def predict_velocity(
    transformer: torch.nn.Module, batch: Batch, dtype: torch.dtype, family: Family | None = None
) -> torch.Tensor:
    """The transformer's velocity for a batch, (B, C, h, w); noise and latents are mixed in float32 first.

    Args:
        transformer: the model, or what wraps it.
        batch: on the model's device.
        dtype: in which the model computes.
        family: of the model; None: it is not wrapped, and tells.
    """
    sigma = batch.sigma.view(-1, 1, 1, 1)
    return (family or family_of(transformer)).velocity(
        transformer,
        ((1 - sigma) * batch.latents + sigma * batch.noise).to(dtype),
        batch.sigma,
        to_dtype(batch.texts, batch.sigma.device, dtype),
    )


Predict = Callable[[Batch], torch.Tensor]
"""Maps a batch to its velocities, (B, C, h, w)."""


def step_sums(
    batch: Batch,
    *,
    predict: Predict,
    predict_base: Predict,
    settings: TrainParams,
    flow: FlowMatching,
    predict_old: Predict | None = None,
) -> StepSums:
    """Loss of a batch as its share of the step.

    Args:
        batch: winners and losers, if any, in the same order.
        predict: velocities of the model in training.
        predict_base: velocities of the frozen base, without gradient; DreamBooth does not call it.
        settings: weights and global batch sizes.
        flow: the objective.
        predict_old: velocities of the weights that drew the images, without gradient; None: the base did.
    """
    if settings.by_rewards:
        return _negative_aware_sums(
            batch, predict=predict, predict_base=predict_base, predict_old=predict_old, settings=settings, flow=flow
        )
    error = flow.loss(predict(batch), latents=batch.latents, noise=batch.noise, sigma=batch.sigma)
    instance, prior = error[batch.role == INSTANCE], error[batch.role == CLASS]
    logged = {"loss": instance.sum() / settings.batch_size}
    total, weight = torch.zeros((), device=error.device), 1.0
    if settings.method == "dpo":
        weight = settings.dpo.instance_loss_weight
        paired = batch.role != CLASS
        # A part with class images alone is predicted for nothing: sharded processes must call the base equally often.
        both = batch.where(paired) if paired.any() else batch
        base = flow.loss(predict_base(both), latents=both.latents, noise=both.noise, sigma=both.sigma)
        pairs = PairErrors(
            winner=error[batch.role == INSTANCE],
            winner_base=base[both.role == INSTANCE],
            loser=error[batch.role == LOSER],
            loser_base=base[both.role == LOSER],
        )
        logged["dpo_loss"] = flow_dpo_loss(pairs, settings.dpo.beta).sum() / settings.batch_size
        logged["preference_accuracy"] = preference_accuracy(pairs).sum() / settings.batch_size
        total = total + logged["dpo_loss"]
    total = total + weight * logged["loss"]
    if settings.class_batch_size:
        logged["prior_loss"] = prior.sum() / settings.class_batch_size
        total = total + settings.prior_loss_weight * logged["prior_loss"]
    return _sums(total, logged, batch, instance)


def _negative_aware_sums(
    batch: Batch,
    *,
    predict: Predict,
    predict_base: Predict,
    predict_old: Predict | None,
    settings: TrainParams,
    flow: FlowMatching,
) -> StepSums:
    nft, drawn = settings.nft, batch.role == INSTANCE
    images = batch.where(drawn)
    # The model in training comes last: the others change its weights for a moment.
    base = predict_base(batch)
    old = base[drawn]
    if predict_old is not None and len(images):
        old = predict_old(images)
    velocity = predict(batch)
    assert images.optimality is not None
    loss = negative_aware_loss(
        velocity[drawn],
        old,
        error=partial(flow.loss, latents=images.latents, noise=images.noise, sigma=images.sigma),
        optimality=images.optimality,
        beta=nft.beta,
    )
    tie = kl_loss(velocity[drawn], base[drawn], images.sigma)
    ratio = norm_ratio(velocity[drawn], base[drawn])
    means = {"loss": loss, "kl_loss": tie, "norm_ratio": ratio, "norm_loss": norm_excess(ratio)}
    logged = {name: values.sum() / settings.batch_size for name, values in means.items()}
    total = logged["loss"] + nft.kl_weight * logged["kl_loss"] + nft.norm_weight * logged["norm_loss"]
    if settings.class_batch_size:
        others = batch.role == CLASS
        difference = ((velocity[others].float() - base[others].float()) ** 2).flatten(1).mean(1)
        logged["prior_loss"] = difference.sum() / settings.class_batch_size
        total = total + settings.prior_loss_weight * logged["prior_loss"]
    return _sums(total, logged, batch, loss)


def _sums(total: torch.Tensor, logged: dict[str, torch.Tensor], batch: Batch, instance: torch.Tensor) -> StepSums:
    """The sums of a step, with the instance images' losses by bin of sigma."""
    place = (batch.sigma[batch.role == INSTANCE] * SIGMA_BINS).long().clamp(max=SIGMA_BINS - 1)
    bins = torch.zeros(2, SIGMA_BINS, device=instance.device)
    bins[0].index_add_(0, place, instance.detach())
    bins[1].index_add_(0, place, torch.ones_like(instance))
    detached = {name: value.detach() for name, value in logged.items()}
    return StepSums(loss=total, logged=detached, bins=bins)


def logged_names(settings: TrainParams) -> list[str]:
    """Names of the means that a step logs, in their order."""
    names = ["loss"]
    if settings.method == "dpo":
        names += ["dpo_loss", "preference_accuracy"]
    if settings.by_rewards:
        names += ["kl_loss", "norm_ratio", "norm_loss"]
    return names + (["prior_loss"] if settings.class_batch_size else [])
