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
from diffusers import DiffusionPipeline, ModelMixin

from anomend.diffusion.embeddings import TextEmbeddings
from anomend.diffusion.skipped_layers import refuse_unknown_layers, refuse_unskippable
from anomend.families.family import Family, Texts, to_dtype
from anomend.families.table import family_of
from anomend.params.tuned import TunedParams
from anomend.project.devices import device_name
from anomend.project.timing import timed_work


def guided(pipeline: DiffusionPipeline, texts: TextEmbeddings, tuned: TunedParams, steps: int) -> DiffusionPipeline:
    """The pipeline with the guidance of `sample.tuned`, for `sampling.sample_images`.

    Args:
        pipeline: the model, on its device.
        texts: embeddings of all texts, the negative prompt among them.
        tuned: what is set.
        steps: sampling steps of each call.

    Raises:
        ValueError: a layer to skip is not in this base, or its pipeline skips none.
    """
    family = family_of(pipeline.transformer)
    arguments: dict[str, Any] = {}
    negative = {} if tuned.negative_prompt is None else texts.rows([tuned.negative_prompt])
    if tuned.skip_layers.layers:
        refuse_unskippable(family)
        refuse_unknown_layers(tuned.skip_layers.layers, len(pipeline.transformer.transformer_blocks))
        arguments |= {
            "skip_guidance_layers": list(tuned.skip_layers.layers),
            "skip_layer_guidance_scale": tuned.skip_layers.scale,
            "skip_layer_guidance_start": tuned.skip_layers.start,
            "skip_layer_guidance_stop": tuned.skip_layers.stop,
        }
    guided_steps = tuned.skip_layers.guided_steps(steps)
    return cast(
        DiffusionPipeline,
        _Guided(pipeline=pipeline, family=family, negative=negative, arguments=arguments, guided_steps=guided_steps),
    )


@dataclass(frozen=True, kw_only=True)
class _Guided:
    """What `sample_images` uses of a pipeline, with further arguments in each call."""

    pipeline: DiffusionPipeline
    family: Family
    negative: Texts
    """The negative prompt, one text; empty: none."""
    arguments: dict[str, Any]
    guided_steps: int

    @property
    def transformer(self) -> ModelMixin:
        return self.pipeline.transformer

    @property
    def vae(self) -> torch.nn.Module:
        vae: torch.nn.Module = self.pipeline.vae
        return vae

    def __call__(self, **options: Any) -> Any:
        prompts = options["prompt_embeds"]
        values = dict(self.arguments)
        if self.negative:
            # A text's tensors stand for those of each image of the batch.
            each = to_dtype(self.negative, prompts[0].device, prompts[0].dtype)
            values |= self.family.unwanted(
                {name: tensor.expand(len(prompts), *tensor.shape[1:]) for name, tensor in each.items()}
            )
        # `sample_images` times the call, and counts two passes per step.
        kind = "adapted" if getattr(self.transformer, "peft_config", None) else "sampling"
        with timed_work(kind, len(prompts) * self.guided_steps, device_name(self.transformer.device)):
            pass
        return self.pipeline(**options | values)
