"""Configurations of SimpleTuner and ai-toolkit that train on the exported images with this run's settings.

Keys as these programs' own sources have them: SimpleTuner bc8e6ab7 (AGPL-3.0; documentation/OPTIONS.md, DATALOADER.md,
experimental/FLOW_DPO.md, simpletuner/examples/sd3.peft-lora/config.json), ai-toolkit 27a03a91 (MIT;
config/examples/train_lora_sd35_large_24gb.yaml, toolkit/config_modules.py, toolkit/scheduler.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

from anomend.diffusion.base_models import base_source, family_of_base, pinned_revision
from anomend.exporting.trainer_data import CLASS, INSTANCE, LOSERS, WINNERS, Counts
from anomend.params.params import Params


@dataclass(frozen=True)
class Family:
    """What the two programs call a family of bases."""

    simpletuner: str
    """`model_family`."""
    ai_toolkit: str
    """`arch`."""
    flavour: str | None = None
    """SimpleTuner's `model_flavour`, where the family has several."""


SD3 = Family("sd3", "sd3")
FAMILIES: dict[str, Family] = {
    **dict.fromkeys(("mini", "sd3-medium", "sd3.5-medium", "sd3.5-large", "rehearsal"), SD3),
    "flux2-klein": Family("flux2", "flux2_klein_4b", "klein-4b"),
    "z-image": Family("z_image", "zimage", "base"),
    "qwen-image": Family("qwen_image", "qwen_image", "v1.0"),
    "chroma": Family("chroma", "chroma", "base"),
}
"""By base; a base of another family is one row more."""
OPTIMIZERS = {
    "adamw": ("optimi-adamw", "adamw"),
    "adamw_8bit": ("bnb-adamw8bit", "adamw8bit"),
    "prodigy": ("prodigy", "prodigy"),
}
"""By `train.optimizer`: SimpleTuner's name, and ai-toolkit's."""
PRECISIONS = {"float32": ("no", "fp32"), "bfloat16": ("bf16", "bf16"), "float16": ("fp16", "fp16")}
AT_ONCE = 4
"""Images in memory, where `train.micro_batch_size` does not say."""


def refuse_unexportable(params: Params) -> None:
    """Refuse what would train something that cannot come back.

    Raises:
        ValueError: the trained LoRA would be refused here, or the base is of no family that the programs know.
    """
    if params.train.use_dora:
        raise ValueError("train.use_dora = true, and only plain LoRAs of other programs are judged: set it to false")
    if params.base.name not in FAMILIES:
        raise ValueError(f"base.name = {params.base.name!r} has no row in FAMILIES of exporting/trainer_configs.py")


def prefers(params: Params, counts: Counts) -> bool:
    """Whether the training is by pairs."""
    return params.train.method == "dpo" and counts.pairs > 0


def pipelines_guidance(params: Params) -> float:
    """`sample.guidance_scale` in the count of the base's pipeline, which the programs take."""
    (scale,) = family_of_base(params.base.name).guidance(params.sample.guidance_scale).values()
    return float(scale)


def simpletuner(params: Params, counts: Counts, folder: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Content of config.json and of multidatabackend.json.

    Args:
        params: the parameters in force.
        counts: of the exported pictures.
        folder: of the export, absolute: the program may run anywhere.
    """
    train, base, dpo = params.train, params.base, params.train.dpo
    images = train.batch_size + (train.class_batch_size if counts.class_images else 0)
    size = min(train.micro_batch_size or AT_ONCE, images)
    config: dict[str, Any] = {
        "model_type": "lora",
        "model_family": FAMILIES[base.name].simpletuner,
        "pretrained_model_name_or_path": _model(params),
        "data_backend_config": str(folder / "simpletuner" / "multidatabackend.json"),
        "output_dir": str(folder / "simpletuner" / "output"),
        "lora_type": "standard",
        "lora_rank": train.rank,
        "lora_alpha": train.alpha,
        "peft_lora_target_modules": train.target_modules,
        "max_train_steps": train.steps,
        "num_train_epochs": 0,
        "train_batch_size": size,
        "gradient_accumulation_steps": ceil(images / size),
        "learning_rate": train.learning_rate,
        "lr_scheduler": train.lr_scheduler,
        "lr_warmup_steps": train.warmup_steps,
        "optimizer": OPTIMIZERS[train.optimizer][0],
        "max_grad_norm": train.max_grad_norm,
        "use_ema": train.ema_decay > 0,
        "flow_schedule_shift": train.sigma_shift,
        "flow_sigmoid_scale": train.sigma_std,
        "mixed_precision": PRECISIONS[base.dtype][0],
        "gradient_checkpointing": train.gradient_checkpointing,
        "checkpoint_step_interval": train.checkpoint_every,
        "seed": train.seed,
        "disable_bucket_pruning": True,
        "validation_prompt": params.prompts.target[0],
        "validation_resolution": f"{base.resolution}x{base.resolution}",
        "validation_guidance": pipelines_guidance(params),
        "validation_num_inference_steps": params.sample.steps,
        "report_to": "none",
    }
    flavour = FAMILIES[base.name].flavour
    config |= {"model_flavour": flavour} if flavour else {}
    config |= {"ema_decay": train.ema_decay} if train.ema_decay else {}
    if revision := pinned_revision(base.name, base.local_folder, base.revision):
        config["revision"] = revision
    if prefers(params, counts):
        # Their loss is half of beta times the gain too, over all latent values (`sum`) or their mean.
        weights = {"beta": dpo.beta, "auto_beta": False, "sft_loss_weight": dpo.instance_loss_weight}
        config |= {
            "distillation_method": "flow_dpo",
            "distillation_config": {"flow_dpo": {**weights, "norm_type": "mean"}},
        }
    return config, list(_backends(params, counts, folder))


def ai_toolkit(params: Params, counts: Counts, folder: Path) -> dict[str, Any]:
    """Content of ai-toolkit's configuration; it trains on instance and class images, not on pairs."""
    train, base = params.train, params.base
    images = train.batch_size + (train.class_batch_size if counts.class_images else 0)
    size = min(train.micro_batch_size or AT_ONCE, images)
    datasets = [_dataset(params, folder / INSTANCE, is_reg=False)]
    if counts.class_images:
        datasets.append(_dataset(params, folder / CLASS, is_reg=True))
    process = {
        "type": "sd_trainer",
        "training_folder": str(folder / "ai-toolkit" / "output"),
        "device": "cuda:0",
        "training_seed": train.seed,
        "network": {
            "type": "lora",
            "linear": train.rank,
            "linear_alpha": train.rank,
            "network_kwargs": {"only_if_contains": train.target_modules},
        },
        "save": {"dtype": "float32", "save_every": train.checkpoint_every, "max_step_saves_to_keep": 4},
        "datasets": datasets,
        "train": {
            "batch_size": size,
            "gradient_accumulation": ceil(images / size),
            "steps": train.steps,
            "lr": train.learning_rate,
            "lr_scheduler": train.lr_scheduler,
            "lr_scheduler_params": {"num_warmup_steps": train.warmup_steps}
            if train.lr_scheduler == "constant_with_warmup"
            else {},
            "optimizer": OPTIMIZERS[train.optimizer][1],
            "optimizer_params": {"weight_decay": train.weight_decay},
            "max_grad_norm": train.max_grad_norm,
            "reg_weight": train.prior_loss_weight,
            "train_unet": True,
            "train_text_encoder": False,
            "gradient_checkpointing": train.gradient_checkpointing,
            "noise_scheduler": "flowmatch",
            "timestep_type": "sigmoid",
            "dtype": PRECISIONS[base.dtype][1],
            "ema_config": {"use_ema": train.ema_decay > 0, "ema_decay": train.ema_decay},
        },
        "model": {"name_or_path": _model(params), "arch": FAMILIES[base.name].ai_toolkit},
        "sample": {
            "sampler": "flowmatch",
            "sample_every": train.checkpoint_every,
            "width": base.resolution,
            "height": base.resolution,
            "prompts": params.prompts.target,
            "guidance_scale": pipelines_guidance(params),
            "sample_steps": params.sample.steps,
        },
    }
    name = f"anomend_{base.name.replace('.', '')}"
    return {"job": "extension", "config": {"name": name, "process": [process]}, "meta": {"name": "[name]"}}


def differences(params: Params, counts: Counts) -> Iterator[str]:
    """What the configurations cannot carry, in sentences."""
    train = params.train
    if counts.class_images and prefers(params, counts):
        yield "SimpleTuner's training by pairs leaves the class images out."
    elif counts.class_images:
        yield (
            "SimpleTuner has no prior preservation for plain LoRAs: class images are a data set like the others, drawn "
            "in the share that a step has here, with weight 1."
        )
    if train.alpha != train.rank:
        yield f"ai-toolkit takes alpha = rank for such bases; here alpha is {train.alpha:g}."
    if train.sigma_scheme != "logit_normal" or train.sigma_mean or train.sigma_shift != 1 or train.sigma_std != 1:
        yield "Noise levels: ai-toolkit draws them logit-normal, without location, scale or shift."
    if train.sigma_scheme != "logit_normal" or train.sigma_mean:
        yield "SimpleTuner draws them logit-normal without location."
    if params.encode.flip or params.encode.crops:
        yield "SimpleTuner neither mirrors nor crops; ai-toolkit mirrors where this run does, and does not crop."
    if train.warmup_steps and train.lr_scheduler not in ("constant", "constant_with_warmup"):
        yield f"ai-toolkit has no warm-up with the schedule {train.lr_scheduler}."
    if train.method not in ("dreambooth", "dpo"):
        yield f"train.method is {train.method}: the configurations train on the instance images, as dreambooth does."
    if train.method == "dpo" and train.dpo.beta_unit != "absolute":
        yield f"SimpleTuner's beta is absolute; here {train.dpo.beta:g} is in units of the base's own error."
    if train.method == "dpo":
        yield "ai-toolkit has no training by pairs: its configuration learns the right images alone."
    yield "Neither chooses weights by anomalies while training: they keep the last ones."


def _backends(params: Params, counts: Counts, folder: Path) -> Iterator[dict[str, Any]]:
    train, size = params.train, params.base.resolution
    common = {
        "type": "local",
        "caption_strategy": "textfile",
        "metadata_backend": "discovery",
        "resolution": size,
        "resolution_type": "pixel_area",
        "crop": True,
        "crop_style": "center",
        "crop_aspect": "square",
        "minimum_image_size": 0,
    }
    cache = folder / "simpletuner" / "cache"

    def backend(name: str, pictures: str, **further: Any) -> dict[str, Any]:
        vae = {"instance_data_dir": str(folder / pictures), "cache_dir_vae": str(cache / "vae" / name)}
        return {"id": name, **common, **vae, **further}

    if prefers(params, counts):
        yield backend("right", WINNERS, dataset_type="image", conditioning_data=["wrong"])
        yield backend(
            "wrong",
            LOSERS,
            dataset_type="conditioning",
            conditioning_type="reference_strict",
            source_dataset_id="right",
        )
    else:
        prior = train.class_batch_size if counts.class_images else 0
        share = train.batch_size / (train.batch_size + prior)
        yield backend("instance", INSTANCE, dataset_type="image", probability=round(share, 6))
        if prior:
            yield backend("class", CLASS, dataset_type="image", probability=round(1 - share, 6))
    text = {"id": "texts", "dataset_type": "text_embeds", "default": True, "type": "local"}
    yield text | {"cache_dir": str(cache / "texts")}


def _dataset(params: Params, pictures: Path, *, is_reg: bool) -> dict[str, Any]:
    return {
        "folder_path": str(pictures),
        "caption_ext": "txt",
        "caption_dropout_rate": 0.0,
        "resolution": [params.base.resolution],
        "flip_x": params.encode.flip and not is_reg,
        "is_reg": is_reg,
        "cache_latents_to_disk": True,
    }


def _model(params: Params) -> str:
    source = base_source(params.base.name, params.base.local_folder)
    return str(Path(source).resolve()) if Path(source).is_dir() else source
