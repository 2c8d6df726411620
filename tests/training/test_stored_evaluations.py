"""Images of evaluations are drawn once for the same weights and the same requests."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from diffusers import SD3Transformer2DModel

from anomend.diffusion.lora import adapter_sha256, add_lora
from anomend.pictures.sample_store import SampleStore
from anomend.training.stored_evaluations import Request, StoredEvaluations, evaluation_recipe
from tests.diffusion.tiny import predict, tiny_transformer
from tests.parameters import params_of, user_params

REQUESTS = [("a", 0), ("a", 1), ("b", 0), ("b", 1), ("b", 2)]


class Model:
    """Images whose pixels depend on the whole batch, as the last bits of real ones do."""

    def __init__(self) -> None:
        self.batches: list[list[Request]] = []

    def draw(self, requests: Sequence[Request]) -> list[np.ndarray]:
        self.batches.append(list(requests))
        sums = sum(seed + ord(prompt) for prompt, seed in requests)
        return [np.full((2, 3, 3), (sums + 7 * seed) % 251, np.uint8) for _, seed in requests]


def evaluations(folder: Path, model: Model, gigabytes: float = 1.0, **recipe: str) -> StoredEvaluations:
    return StoredEvaluations(SampleStore(folder), recipe, draw=model.draw, batch_size=3, gigabytes=gigabytes)


def adapted(seed: int = 0, alpha: float = 2) -> SD3Transformer2DModel:
    transformer = tiny_transformer()
    torch.manual_seed(seed)
    add_lora(transformer, rank=2, alpha=alpha, target_modules=["to_q"])
    return transformer


def test_the_same_weights_draw_no_image_twice_and_give_the_same_bytes(tmp_path: Path) -> None:
    model, again = Model(), Model()
    plain = Model().draw(REQUESTS[:3]) + Model().draw(REQUESTS[3:])
    first = evaluations(tmp_path, model).drawing(adapted())(REQUESTS)
    second = evaluations(tmp_path, again).drawing(adapted())(REQUESTS)
    assert model.batches == [REQUESTS[:3], REQUESTS[3:]] and again.batches == []
    np.testing.assert_array_equal(first, plain)
    np.testing.assert_array_equal(second, plain)
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [(line["prompt"], line["images"]) for line in lines] == [("a", 2), ("b", 1), ("b", 2)]


def test_other_weights_recipes_and_batches_are_drawn(tmp_path: Path) -> None:
    first = Model()
    evaluations(tmp_path, first).drawing(adapted())(REQUESTS)
    for others in (
        lambda model: evaluations(tmp_path, model).drawing(adapted(seed=1)),
        lambda model: evaluations(tmp_path, model).drawing(adapted(alpha=4)),
        lambda model: evaluations(tmp_path, model, texts="others").drawing(adapted()),
    ):
        model = Model()
        others(model)(REQUESTS)
        assert model.batches == first.batches
    # The same images in another batch have other last bits.
    model = Model()
    evaluations(tmp_path, model).drawing(adapted())(REQUESTS[1:])
    assert model.batches == [REQUESTS[1:4], REQUESTS[4:]]
    model = Model()
    StoredEvaluations(SampleStore(tmp_path), {}, draw=model.draw, batch_size=5, gigabytes=1).drawing(adapted())(
        REQUESTS
    )
    assert model.batches == [REQUESTS]


def test_a_batch_that_lost_an_image_is_drawn_whole_and_counted(tmp_path: Path) -> None:
    first = evaluations(tmp_path, Model()).drawing(adapted())(REQUESTS)
    (damaged,) = tmp_path.glob("*/a-*/1-*.png")
    damaged.write_bytes(b"damaged")
    model = Model()
    np.testing.assert_array_equal(evaluations(tmp_path, model).drawing(adapted())(REQUESTS), first)
    assert model.batches == [REQUESTS[:3]]
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["made_again"] for line in lines] == [0, 0, 0, 1, 1]


def test_the_weights_that_count_are_those_at_the_call(tmp_path: Path) -> None:
    transformer, model = adapted(), Model()
    stored = evaluations(tmp_path, model)
    before = adapter_sha256(transformer)
    stored.drawing(transformer)(REQUESTS)
    with torch.no_grad():
        next(p for p in transformer.parameters() if p.requires_grad).add_(1e-6)
    assert adapter_sha256(transformer) != before
    stored.drawing(transformer)(REQUESTS)
    assert len(model.batches) == 4


def test_the_store_stays_within_its_bound(tmp_path: Path) -> None:
    stored = evaluations(tmp_path, Model(), gigabytes=0.0)
    for seed in range(3):
        stored.drawing(adapted(seed=seed))(REQUESTS)
        stored.prune()
        # The images of the last evaluation alone.
        assert len(list(tmp_path.rglob("*.png"))) == len(REQUESTS)
    empty = evaluations(tmp_path / "unused", Model(), gigabytes=0.0)
    empty.prune()
    assert not (tmp_path / "unused").exists()


def test_the_recipe_says_how_the_model_in_training_differs(tmp_path: Path) -> None:
    texts = tmp_path / "prompts.safetensors"
    texts.write_bytes(b"1")
    params = params_of(user_params())
    recipe = evaluation_recipe(params, texts=texts, code="c")
    assert recipe["sampled"] == "while training" and recipe["quantise"] == "none" and recipe["code"] == "c"
    for train in ({"quantise_base": "nf4"}, {"compile": "whole"}):
        changed = params.model_copy(update={"train": params.train.model_copy(update=train)})
        assert evaluation_recipe(changed, texts=texts, code="c") != recipe
    texts.write_bytes(b"2")
    assert evaluation_recipe(params, texts=texts, code="c") != recipe


def test_images_of_the_base_are_drawn_once_whatever_the_adapter_is(tmp_path: Path) -> None:
    on = []

    class Watching(Model):
        def draw(self, requests: Sequence[Request]) -> list[np.ndarray]:
            on.append(predict(transformer))
            return super().draw(requests)

    transformer, model = adapted(), Watching()
    with torch.no_grad():
        for parameter in transformer.parameters():
            if parameter.requires_grad:
                parameter.fill_(0.3)
    stored = evaluations(tmp_path, model)
    stored.drawing_base(transformer)(REQUESTS)
    # Drawn with the adapter off, which is on again afterwards.
    assert all(torch.equal(each, predict(tiny_transformer())) for each in on)
    assert not torch.equal(predict(transformer), on[0])
    again = Model()
    evaluations(tmp_path, again).drawing_base(adapted(seed=1))(REQUESTS)
    assert again.batches == []
    stored.drawing(transformer)(REQUESTS)
    assert len(model.batches) == 4
