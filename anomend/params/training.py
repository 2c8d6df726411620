"""Parameters of stage `train`: recipes are values of these, not paths through the code."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from anomend.params.external import ExternalLoraParams
from anomend.params.rewards import LabelledParams, NftParams
from anomend.params.types import RUN_SETTING, AnatomyDetector, Prompt, Section, Seed


class DpoParams(Section):
    """Flow-DPO, used with `train.method: dpo`."""

    beta: float = Field(gt=0, le=1e6, description="Strength of the preference: how soon a pair counts as learned.")
    beta_unit: Literal["absolute", "base_error"] = Field(
        "absolute",
        description="absolute: beta as it is. base_error: beta over the base's mean loss on fixed draws of winners and "
        "losers, so that one beta serves every base; with 20, a pair counts as much learned as likely (logit 1) once "
        "its winner has gained a tenth of that loss on its loser.",
    )
    noise: Literal["fresh", "own"] = Field(
        "fresh",
        description="fresh: winner and loser share noise that is drawn anew in each step. own: an image that was "
        "sampled here keeps the noise that it was sampled from (losers, and winners of the source base), whole and "
        "unmirrored; others get fresh noise.",
    )
    instance_loss_weight: float = Field(
        ge=0, le=1000, description="Weight of the winners' flow-matching loss, which keeps them likely; 0: none."
    )


class QuirkParams(Section):
    """Mistakes of the paper's training script, one switch each; all are off in every recipe except `paper`."""

    skip_latent_shift: bool = Field(
        description="Leave the VAE's shift out of the training latents. Wrong: sampling adds it back, so that what is "
        "learned is offset by shift x scale (0.093 for Stable Diffusion 3)."
    )
    edm_preconditioning: bool = Field(
        description="Compare denoised latents instead of velocities. Wrong for a flow model: the loss is weighted by "
        "sigma^2, and low noise, where limbs get their detail, almost drops out."
    )
    tabled_sigmas: bool = Field(
        description="Draw noise levels from the scheduler's 1000 entries. A small mistake: the model is sampled at "
        "levels between them."
    )


class MonitorParams(Section):
    """Evaluations while training; they take time to sample images but do not change training."""

    every: int = Field(ge=0, description="Optimizer steps between evaluations; 0: none.")
    seeds_per_prompt: int = Field(
        ge=0,
        le=1000,
        description="Images per target prompt at each evaluation; 0: none.",
    )
    first_seed: Seed = Field(description="Seed of the first of these; separate from the seeds of stage `sample`.")
    detector: AnatomyDetector = Field(description="Detector of anomalies, as measure.detector; none: no anomaly rate.")
    patience: int = Field(ge=0, description="Stop this many evaluations after the best one; 0: train to the last step.")
    keep: Literal["best", "last"] = Field(
        description="Weights that become the LoRA: those of the best evaluation (lowest validation loss among the "
        "anomaly rates within one standard error of the lowest), or the last ones."
    )
    validation_draws: int = Field(
        ge=0,
        le=1000,
        description="Fixed (sample, noise, sigma) triples of the validation loss; 0: no validation loss.",
    )
    held_out_prompts: list[Prompt] = Field(
        [],
        description="Further prompts, such as held-out ones, whose anomaly rate each evaluation measures at the same "
        "seeds. They choose no weights.",
    )
    max_held_out_rate: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        None,
        description="Stop when more of their images are anomalous, and keep the best weights before; null: go on.",
    )
    trackers: list[Literal["tensorboard", "wandb"]] = Field(
        json_schema_extra=RUN_SETTING, description="Also log to these, through accelerate; each needs its package."
    )


class TrainParams(Section):
    """Training of a LoRA by images to learn, by preferences or by rewards."""

    method: Literal["dreambooth", "dpo", "nft", "labels", "external", "none"] = Field(
        description="dreambooth: learn the instance images; dpo: prefer them to the base's own anomalous images; nft: "
        "draw images and learn from the detector's rewards, round by round; labels: learn from labels of the base's "
        "images. These two need no instance images. external: take the LoRA that train.external names "
        "(docs/elsewhere.md). none: no LoRA is trained, and the tuned model is the base as sample.tuned samples it "
        "(docs/baselines.md). Defaults of some: `profiles/methods`."
    )
    launcher: list[str] = Field(
        json_schema_extra=RUN_SETTING,
        description="Command put before `-m stages.train`, such as [accelerate, launch, --config_file, FILE]; "
        "empty: one process.",
    )
    seed: Seed = Field(description="Seed of the LoRA's initialisation and of every draw while training.")
    steps: int = Field(ge=1, description="Optimizer steps.")
    batch_size: int = Field(
        ge=1, description="Instance images (dpo: pairs; nft, labels: drawn images) per step, over all processes."
    )
    class_batch_size: int = Field(ge=0, description="Class images per step; 0 turns prior preservation off.")
    micro_batch_size: int | None = Field(
        json_schema_extra=RUN_SETTING,
        ge=1,
        description="Images of a step that a process handles at a time; their gradients are added up. null: all.",
    )
    prior_loss_weight: float = Field(
        ge=0, description="Weight of the class images' loss; with nft and labels, of their difference from the base."
    )
    rank: int = Field(ge=1, le=1024, description="Rank of the LoRA.")
    alpha: float = Field(gt=0, description="LoRA scale is alpha / rank.")
    use_rslora: bool = Field(description="LoRA scale is alpha / sqrt(rank) (Kalajdzievski 2023, arXiv 2312.03732).")
    use_dora: bool = Field(description="Also train weights' magnitudes (DoRA: Liu et al. 2024, arXiv 2402.09353).")
    target_modules: list[str] = Field(min_length=1, description="Projections that get an adapter.")
    quantise_base: Literal["none", "int8", "nf4"] = Field(
        description="Keep the frozen transformer in 8 or 4 bits while training alone; none: as base.quantise "
        "(bitsandbytes; needs a CUDA GPU)."
    )
    gradient_checkpointing: bool = Field(
        json_schema_extra=RUN_SETTING, description="Recompute activations: less memory, about 1.4 times the time."
    )
    compile: Literal["none", "blocks", "whole"] = Field(
        json_schema_extra=RUN_SETTING,
        description="Compile the transformer for faster steps. blocks: each block by torch.compile; least time and "
        "memory to compile; works with a sharded transformer. whole: the transformer as one graph; slowest to "
        "compile, once per batch size, and the fastest steps; evaluations are not compiled. whole needs "
        "one process, and neither gradient_checkpointing nor a quantised base.",
    )
    optimizer: Literal["adamw", "adamw_8bit", "prodigy"] = Field(
        description="adamw_8bit needs bitsandbytes and a CUDA GPU; prodigy finds its own rate (learning_rate: 1)."
    )
    learning_rate: float = Field(gt=0, le=1, description="Peak learning rate.")
    lr_scheduler: Literal["constant", "linear", "cosine", "constant_with_warmup"] = Field(
        description="Schedule of the learning rate, by diffusers' get_scheduler."
    )
    warmup_steps: int = Field(ge=0, description="Steps of linear warm-up; the schedule `constant` has none.")
    weight_decay: float = Field(ge=0, description="Decoupled weight decay.")
    max_grad_norm: float = Field(gt=0, description="Gradients are clipped to this norm.")
    ema_decay: float = Field(ge=0, lt=1, description="Decay of the LoRA's moving average, which is saved; 0: none.")
    sigma_scheme: Literal["logit_normal", "mode", "cosmap", "uniform"] = Field(
        description="Distribution of the noise levels."
    )
    sigma_shift: float = Field(gt=0, description="Timestep shift of the noise levels; 1: none.")
    sigma_mean: float = Field(description="Location of the logit-normal; above 0 favours noise.")
    sigma_std: float = Field(gt=0, description="Scale of the logit-normal.")
    mode_scale: float = Field(ge=-1, le=1.7519, description="Scale of `mode`; above 0 favours the middle.")
    loss_weighting: Literal["none", "sigma_sqrt", "cosmap"] = Field(description="Weight of the loss by noise level.")
    checkpoint_every: int = Field(
        json_schema_extra=RUN_SETTING, ge=1, description="Steps between checkpoints for resuming."
    )
    dpo: DpoParams
    nft: NftParams
    labelled: LabelledParams
    external: ExternalLoraParams = Field(default=ExternalLoraParams())
    quirks: QuirkParams
    monitor: MonitorParams

    @property
    def makes_lora(self) -> bool:
        """Whether a LoRA is trained here."""
        return self.method not in ("external", "none")

    @property
    def has_lora(self) -> bool:
        """Whether the tuned model has a LoRA, trained here or by another program."""
        return self.method != "none"

    @property
    def by_rewards(self) -> bool:
        """Whether it learns from rewarded images of the model's own, and from no instance images."""
        return self.method in ("nft", "labels")

    @property
    def rewards_by_detector(self) -> bool:
        """Whether `nft.detector` rewards images that are drawn while training."""
        return self.method == "nft" or (self.method == "labels" and self.labelled.pictures is None)

    @model_validator(mode="after")
    def _consistent(self) -> TrainParams:
        if self.method == "external" and not self.external.in_use:
            raise ValueError(
                "train.method = 'external' takes the LoRA of another program, and train.external.file names none: set "
                "it, with train.external.author"
            )
        if self.method != "external" and self.external.in_use:
            raise ValueError(
                f"train.external.file names a LoRA, and train.method = {self.method!r} does not take one: set "
                "train.method to external, or train.external.file to none"
            )
        if not self.makes_lora:
            return self
        watched = self.monitor.every and self.monitor.seeds_per_prompt and self.monitor.detector != "none"
        if not watched and (self.monitor.patience or self.monitor.keep == "best"):
            raise ValueError(
                "train.monitor.patience and keep = 'best' use the anomaly rate while training: set monitor.every, "
                "monitor.seeds_per_prompt and monitor.detector, or patience = 0 and keep = 'last'"
            )
        if self.monitor.max_held_out_rate is not None and not (watched and self.monitor.held_out_prompts):
            raise ValueError(
                "train.monitor.max_held_out_rate stops by anomalies of train.monitor.held_out_prompts: name some, and "
                "set monitor.every, monitor.seeds_per_prompt and monitor.detector, or max_held_out_rate to none"
            )
        if self.by_rewards and self.monitor.every and self.monitor.validation_draws and not self.class_batch_size:
            raise ValueError(
                f"train.monitor.validation_draws with train.method = {self.method!r} are of class images, and "
                "train.class_batch_size = 0: set one of them"
            )
        # The first step of a warm-up has the learning rate 0.
        if self.lr_scheduler != "constant" and self.warmup_steps and self.steps == 1:
            raise ValueError(
                f"train.steps = 1 is the first step of train.warmup_steps = {self.warmup_steps}, whose learning "
                "rate is 0: train more steps, or set train.warmup_steps to 0"
            )
        if self.compile == "whole" and (self.gradient_checkpointing or self.quantise_base != "none"):
            raise ValueError(
                "train.compile = 'whole' cannot be combined with gradient_checkpointing or quantise_base: set "
                "train.compile to 'blocks', or turn those off"
            )
        return self
