"""What paid services would cost, before anything is bought."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from anomend.judging.registry import PAID_JUDGES
from anomend.params.params import Params
from anomend.pipeline.work import pairs_judged, pairs_labelled
from anomend.project.paths import DATA


def collecting_usd(
    params: Params, *, environment: Mapping[str, str], project: Path, prices: Path, retired_models: Path
) -> float:
    """Dollars that stage `collect` would still pay; images that were bought before cost nothing.

    Args:
        params: the parameters in force.
        environment: names the store of paid answers, if it is elsewhere.
        project: the project's root.
        prices: table of prices.
        retired_models: table of retired models.

    Raises:
        ValueError: the model is retired or has no price.
    """
    collecting = params.collect
    if "openai" not in collecting.counts:
        return 0.0
    from anomend.collecting.collection import describe_plan, image_purchase, source_settings

    purchase = image_purchase(
        collecting, environment=environment, project=project, prices=prices, retired_models=retired_models
    )
    settings = source_settings(collecting, published=Path(collecting.paper.path), tables=DATA, purchase=purchase)
    return describe_plan(params.prompts.target, collecting, settings)[1]


def judging_usd(params: Params, prices: Path) -> float:
    """Dollars that the paid judges may cost at most; stored answers, which need the images, are not deducted.

    Raises:
        ValueError: a model has no price.
    """
    judge = params.judge
    paid = [name for name in judge.judges if name in PAID_JUDGES]
    if not paid:
        return 0.0
    from anomend.judging.llm_requests import PARTS_FACTOR, estimate_usd
    from anomend.judging.protocol import ORDERS
    from anomend.purchasing.prices import read_price

    parts = PARTS_FACTOR if judge.parts != "none" else 1
    questions = pairs_judged(params) * len(ORDERS) * judge.repeats * parts
    pictures = 2 * pairs_labelled(params) * parts

    def usd(model: str, images: int) -> float:
        pixels, price = images * judge.image_size**2, read_price(model, prices)
        return estimate_usd(price, pixels=pixels, max_tokens=judge.max_tokens, batch=judge.batch)

    models = [getattr(judge.models, name) for name in paid]
    return sum(questions * usd(model, 2) + pictures * usd(model, 1) for model in models)
