"""Guidance of the tuned model beyond the guidance scale, by diffusers' own pipeline.

A negative prompt takes the place of the empty one. Skip-layer guidance (Stability AI for Stable Diffusion 3.5 Medium:
layers 7, 8, 9, scale 2.5, 0.01 to 0.2 of the steps, in sd3_infer.py of github.com/Stability-AI/sd3.5; with 2.8 in
`StableDiffusion3Pipeline.__call__` of diffusers 0.42.1) leads away from what the model draws without some blocks:

    v = v_negative + g (v_text - v_negative) + scale (v_text - v_skipped)     in steps i with start < i / steps < stop

g is the guidance scale, and v_skipped the velocity for the text without these blocks: one more pass in such a step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import torch
from diffusers import SD3Transformer2DModel, StableDiffusion3Pipeline

from anomend.diffusion.embeddings import TextEmbeddings
from anomend.diffusion.skipped_layers import refuse_unknown_layers
from anomend.params.tuned import TunedParams
from anomend.project.devices import device_name
from anomend.project.timing import timed_work


def guided(
    pipeline: StableDiffusion3Pipeline, texts: TextEmbeddings, tuned: TunedParams, steps: int
) -> StableDiffusion3Pipeline:
    """The pipeline with the guidance of `sample.tuned`, for `sampling.sample_images`.

    Args:
        pipeline: the model, on its device.
        texts: embeddings of all texts, the negative prompt among them.
        tuned: what is set.
        steps: sampling steps of each call.

    Raises:
        ValueError: a layer to skip is not in this base.
    """
    refuse_unknown_layers(tuned.skip_layers.layers, len(pipeline.transformer.transformer_blocks))
    arguments: dict[str, Any] = {}
    if tuned.negative_prompt is not None:
        row = texts.captions.index(tuned.negative_prompt)
        arguments |= {"negative_prompt_embeds": texts.embeds[row], "negative_pooled_prompt_embeds": texts.pooled[row]}
    if tuned.skip_layers.layers:
        arguments |= {
            "skip_guidance_layers": list(tuned.skip_layers.layers),
            "skip_layer_guidance_scale": tuned.skip_layers.scale,
            "skip_layer_guidance_start": tuned.skip_layers.start,
            "skip_layer_guidance_stop": tuned.skip_layers.stop,
        }
    return cast(StableDiffusion3Pipeline, _Guided(pipeline, arguments, tuned.skip_layers.guided_steps(steps)))


@dataclass(frozen=True)
class _Guided:
    """What `sample_images` uses of a pipeline, with further arguments in each call."""

    pipeline: StableDiffusion3Pipeline
    arguments: dict[str, Any]
    guided_steps: int

    @property
    def transformer(self) -> SD3Transformer2DModel:
        return self.pipeline.transformer

    @property
    def vae(self) -> torch.nn.Module:
        vae: torch.nn.Module = self.pipeline.vae
        return vae

    def __call__(self, **options: Any) -> Any:
        prompts: torch.Tensor = options["prompt_embeds"]
        # A text's embedding stands for that of each image of the batch.
        values = {
            name: value.to(prompts).expand(len(prompts), *value.shape) if torch.is_tensor(value) else value
            for name, value in self.arguments.items()
        }
        # `sample_images` times the call, and counts two passes per step.
        kind = "adapted" if getattr(self.transformer, "peft_config", None) else "sampling"
        with timed_work(kind, len(prompts) * self.guided_steps, device_name(self.transformer.device)):
            pass
        return self.pipeline(**options | values)
