"""The parts of a training run, made from the parameters: data, base, processes, and evaluations."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import torch
from accelerate import Accelerator
from diffusers import DiffusionPipeline, ModelMixin

from anomend.diffusion.base_models import family_of_base, load_latent_format
from anomend.diffusion.embeddings import TextEmbeddings, encode_images, load_encoded
from anomend.diffusion.loading import load_denoiser_parts
from anomend.diffusion.lora import load_lora
from anomend.diffusion.sampling import sample_images, sampling_options
from anomend.params.params import Params
from anomend.project.checkouts import found
from anomend.training.data import INSTANCE, LOSER, TrainingData
from anomend.training.evaluations import Evaluation, Image
from anomend.training.loop import Evaluate
from anomend.training.monitoring import shared_anomaly_rate, validation_batches, validation_loss
from anomend.training.objectives import flow_matching
from anomend.training.origins import needs_origins, read_origins, start_noise, twins
from anomend.training.rounds import Rounds, drawn_pictures, empty_set
from anomend.training.stored_evaluations import Draw, StoredEvaluations

Detect = Callable[[Sequence[Image]], list[bool]]
"""Returns for each image whether it has an anomaly."""


def load_training_data(params: Params, encoded: Path) -> TrainingData:
    """The encoded sets that the recipe uses, from the folder of stage `encode`.

    Raises:
        ValueError: a set is missing.
    """
    settings = params.train
    latent_format = load_latent_format(params.base.name, params.base.local_folder, params.base.revision)
    if settings.quirks.skip_latent_shift:
        latent_format = replace(latent_format, shift_factor=0.0)
    data = TrainingData(
        instance=empty_set() if settings.by_rewards else load_encoded(encoded / "instance.safetensors"),
        classes=load_encoded(encoded / "class.safetensors") if settings.class_batch_size else None,
        latent_format=latent_format,
        losers=load_encoded(encoded / "loser.safetensors") if settings.method == "dpo" else None,
    )
    return with_origins(data, params, encoded) if needs_origins(params) else data


def with_origins(data: TrainingData, params: Params, encoded: Path) -> TrainingData:
    """The data with each image's start noise, and each instance image's own loser, as the recipe asks for them."""
    among = data.losers
    assert among is not None
    origins = read_origins(encoded)
    instance, losers = origins["instance"], origins["loser"]
    if params.train.dpo.noise == "own":
        dtype = family_of_base(params.base.name).noise_dtype(getattr(torch, params.base.dtype))
        shape = data.latent_format.process_in(among.mean[0, 0]).shape
        noise = {
            INSTANCE: start_noise(data.instance, instance, shape=shape, dtype=dtype),
            LOSER: start_noise(among, losers, shape=shape, dtype=dtype),
        }
        data = replace(data, start_noise=noise)
    return replace(data, twins=twins(instance, losers, of=data.instance, among=among))


def make_draw(params: Params, pipeline: DiffusionPipeline, texts: TextEmbeddings) -> Draw:
    """Sampling with the pipeline's transformer as it is at the moment of the call."""

    def draw(requests: Sequence[tuple[str, int]]) -> list[Image]:
        # The decoder is on the device only while it is needed.
        pipeline.vae.to(pipeline.transformer.device)
        options = sampling_options(params.base, params.sample)
        images = list(sample_images(pipeline, requests, **options, description="", texts=texts))
        pipeline.vae.to("cpu")
        return images

    return draw


def make_rounds(
    params: Params,
    pipeline: DiffusionPipeline,
    *,
    texts: TextEmbeddings,
    stored: StoredEvaluations,
    detect: Detect,
    second: Detect | None = None,
) -> Rounds | None:
    """Where the images of each round come from; None where training is not by rewards.

    Args:
        params: all parameters.
        pipeline: the base, with its VAE.
        texts: embeddings of the prompts.
        stored: samples with the model in training, through the store.
        detect: the detector that rewards.
        second: the one that looks at the same images and rewards nothing; None: there is none.

    Raises:
        ValueError: labelled pictures cannot be used.
    """
    train = params.train
    if not train.by_rewards:
        return None

    def encode(images: Sequence[Image]) -> tuple[torch.Tensor, torch.Tensor]:
        # The VAE is on the device only while it is needed.
        pipeline.vae.to(pipeline.transformer.device)
        encoded = encode_images(pipeline, images, params.encode.batch_size)
        pipeline.vae.to("cpu")
        return encoded

    digest = None
    if train.labelled.pictures is not None and train.labelled.labels is not None and not train.rewards_by_detector:
        # A plug-in: the code that reads labels counts only where they are learned from (`pipeline.plugins`).
        read = import_module("anomend.training.labelled").labelled_pictures
        pictures, digest = read(params, found(train.labelled.pictures), found(train.labelled.labels))
    else:
        pictures = drawn_pictures(
            params.prompts.target,
            per_prompt=train.nft.images_per_prompt,
            first_seed=train.nft.first_seed,
            drawing=stored.drawing,
            drawing_base=stored.drawing_base,
            anomalous=detect,
            second=second,
        )
    return Rounds(
        steps=params.round_steps,
        pictures=pictures,
        encode=encode,
        texts=texts,
        flip=train.nft.flip,
        digest=digest,
    )


def evaluation_requests(params: Params, prompts: Sequence[str] | None = None) -> list[tuple[str, int]]:
    """The (prompt, seed) requests of each evaluation, of the target prompts or of others."""
    monitor = params.train.monitor
    seeds = range(monitor.first_seed, monitor.first_seed + monitor.seeds_per_prompt)
    return [(prompt, seed) for prompt in (params.prompts.target if prompts is None else prompts) for seed in seeds]


def make_evaluate(
    *, params: Params, data: TrainingData, stored: StoredEvaluations, detect: Detect | None
) -> Evaluate | None:
    """What an evaluation does: the anomaly rates at a few fixed seeds, and the validation loss.

    Args:
        params: all parameters.
        data: what is trained on.
        stored: samples with the model in training, through the store.
        detect: the detector; None: no anomaly rate.

    Returns:
        None where the recipe has no evaluations.
    """
    if not params.train.monitor.every:
        return None
    flow, requests = flow_matching(params.train), evaluation_requests(params)
    held_out = evaluation_requests(params, params.train.monitor.held_out_prompts)
    most = params.train.monitor.max_held_out_rate
    fixed = validation_batches(
        data,
        flow,
        draws=params.train.monitor.validation_draws,
        seed=params.train.seed,
        batch_size=params.train.batch_size,
    )

    def evaluate(transformer: ModelMixin, accelerator: Accelerator) -> Evaluation:
        loss = validation_loss(transformer, fixed, flow)
        if not requests:
            return Evaluation(anomaly_rate=None, validation_loss=loss)
        draw = stored.drawing(transformer)
        rate, images = shared_anomaly_rate(requests, sample=draw, detect=detect, accelerator=accelerator)
        elsewhere = None
        if held_out:
            elsewhere, _ = shared_anomaly_rate(held_out, sample=draw, detect=detect, accelerator=accelerator)
        if accelerator.is_main_process:
            stored.prune()
        return Evaluation(
            anomaly_rate=rate,
            validation_loss=loss,
            images=images,
            sampled=len(requests),
            held_out_rate=elsewhere,
            harmful=most is not None and elsewhere is not None and elsewhere > most,
        )

    return evaluate


def reload_difference(pipeline: DiffusionPipeline, lora: Path, draw: Draw, params: Params) -> int | None:
    """How far images of the saved LoRA, loaded by diffusers, are from those of the trained adapter.

    Returns:
        Largest difference in grey levels, 0 to 255, over the first two requests of an evaluation; None where nothing
        is sampled while training.
    """
    requests = evaluation_requests(params)[:2]
    if not (params.train.monitor.every and requests):
        return None
    trained = draw(requests)
    pipeline.transformer.delete_adapters("default")
    load_lora(pipeline, lora)
    loaded = draw(requests)
    return max(int(abs(a.astype(int) - b.astype(int)).max()) for a, b in zip(trained, loaded, strict=True))


def load_trained_parts(params: Params) -> DiffusionPipeline:
    """The base without text encoders, and without a VAE unless images are sampled or encoded while training.

    All is on the CPU, except a quantised transformer, which is on the GPU.

    Raises:
        ValueError: the base cannot be loaded, or a quantised one needs a GPU or a package that is missing.
    """
    monitor = params.train.monitor
    evaluated = bool(monitor.every and monitor.seeds_per_prompt)
    needed = evaluated or params.train.by_rewards
    return load_denoiser_parts(params.base, vae=needed, train_bits=params.train.quantise_base)


def is_quantised(params: Params) -> bool:
    """Whether the transformer that is trained is quantised."""
    return {params.base.quantise, params.train.quantise_base} != {"none"}


def make_accelerator(params: Params, device: torch.device, folder: Path) -> Accelerator:
    """The processes of this training run, with the selected trackers, which write to `folder`.

    Raises:
        ValueError: a tracker's package is missing.
    """
    trackers = params.train.monitor.trackers
    # accelerate silently ignores a tracker whose package is missing, and its curves would be lost.
    if missing := [tracker for tracker in trackers if find_spec(tracker) is None]:
        raise ValueError(f"train.monitor.trackers = {missing} is not installed: pip install it, or leave it out")
    accelerator = Accelerator(
        cpu=device.type == "cpu",
        log_with=trackers or None,
        project_dir=str(folder),
        # The precision is a parameter (base.dtype): a launcher's own would change the weights without a trace.
        mixed_precision="no",
    )
    if trackers:
        accelerator.init_trackers("anomend", {"profile": params.profile, "seed": params.train.seed})
    return accelerator


def end_together(accelerator: Accelerator) -> None:
    """Close the trackers and end the process group, once no process needs another one.

    A process that ends early can crash one that still works. All processes sleep before they end together: gloo's
    thread takes Python's lock to drop the last exchange, while the end of the group holds that lock and waits for the
    thread. Without the pause both can wait forever (torch 2.13 on one core: within ten groups without it, never in 150
    with it).
    """
    if accelerator.num_processes > 1:
        accelerator.wait_for_everyone()
        time.sleep(1)
    accelerator.end_training()
