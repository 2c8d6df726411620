"""The metadata at the head of every model card, which the Hugging Face hub reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from huggingface_hub import EvalResult, ModelCardData

from anomend.diffusion.bases import BaseModel
from anomend.exporting.licences import licence_of
from anomend.families.table import family_named
from anomend.params.params import Params


def model_name(params: Params) -> str:
    """The name under which the hub lists a LoRA's results."""
    return f"anomend-{params.base.name}-lora"


def card_metadata(params: Params, base: BaseModel, results: Sequence[EvalResult] = ()) -> str:
    """YAML between its two lines `---`, as a card begins.

    Args:
        params: the resolved parameters of the run.
        base: the base; its licence binds the LoRA too.
        results: what was measured, for the hub's `model-index`; empty before anything is.
    """
    repository = base.repository
    licence: dict[str, Any] = dict(licence_of(base.licence).hub)
    data = ModelCardData(
        base_model=repository,
        base_model_relation="adapter" if repository else None,
        library_name="diffusers",
        pipeline_tag="text-to-image",
        tags=["text-to-image", "diffusers", family_named(base.pipeline).tag, "lora", params.train.method],
        instance_prompt=params.prompts.target[0],
        widget=[{"text": prompt} for prompt in params.prompts.target],
        **licence,
        model_name=model_name(params) if results else None,
        eval_results=list(results) or None,
    )
    return f"---\n{data.to_yaml()}\n---\n"
