"""The model card that goes with a LoRA."""

from __future__ import annotations

from anomend.params.params import Params
from anomend.reporting.templating import markdown_environment


def lora_card(params: Params, base_weights: str, base_licence: str, instances: int, hub_base: str | None = None) -> str:
    """The card of a trained LoRA, in the Hugging Face hub's form.

    Args:
        params: the resolved parameters of the run.
        base_weights: what identifies the base's weights (`base_models.fingerprint`).
        base_licence: name of the base's licence, which binds the LoRA too.
        instances: images that it learned from.
        hub_base: the base's repository on the hub, if it is one.
    """
    template = markdown_environment().get_template("lora_card.md.jinja")
    return template.render(
        p=params, base_weights=base_weights, licence=base_licence, instances=instances, hub_base=hub_base
    )
