"""The card that stage `train` writes next to the LoRA, before anything is measured; `hub_card` has the results."""

from __future__ import annotations

from pathlib import Path

from anomend.diffusion.bases import BaseModel
from anomend.exporting.card_metadata import card_metadata
from anomend.params.params import Params

TEMPLATES = Path(__file__).parent / "templates"
READS = ("templates/lora_card.md.jinja",)
"""Files that this module reads: a change of them is a change of its code."""

NO_LORA = """# No LoRA

`train.method` was `none`: nothing was trained. The tuned model of this run is the base as `sample.tuned` samples it;
`tuned_model` in `metrics/sample_tuned.json` says how.
"""
"""The card of a run that trained none."""


def lora_card(params: Params, base: BaseModel, *, base_weights: str, instance_images: int) -> str:
    """The card's text.

    Args:
        params: the resolved parameters of the run.
        base: the base that the LoRA was trained for.
        base_weights: what identifies the base's weights (`base_models.fingerprint`).
        instance_images: how many images the LoRA learned from.
    """
    # Only when the card is written: training starts faster without the template engine.
    from anomend.reporting.templating import markdown_environment

    body = markdown_environment(TEMPLATES).get_template("lora_card.md.jinja")
    text = body.render(p=params, base_weights=base_weights, licence=base.licence, instance_images=instance_images)
    return f"{card_metadata(params, base)}\n{text}"
