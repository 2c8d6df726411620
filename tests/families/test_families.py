"""Each family on a tiny random base: what it trains, saves, loads and samples is what diffusers' own pipeline makes.

Two minutes for the three together, on one busy core.
"""

from __future__ import annotations

import json
import math
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch

from anomend.diffusion import quantisation
from anomend.diffusion.base_models import family_of_base, load_latent_format, load_pipeline
from anomend.diffusion.embeddings import encode_texts, load_encoded, load_texts
from anomend.diffusion.lora import lora_layers
from anomend.diffusion.lora_folder import lora_sha256
from anomend.diffusion.quantisation import eight_bit_text_encoder, quantised_transformer
from anomend.families.table import family_of
from anomend.pictures.sample_store import SampleStore
from anomend.training.acceleration.blocks import blocks_of
from anomend.training.loop import LoraTrainer
from anomend.training.origins import read_origins, start_noise
from anomend.training.setup import load_trained_parts, load_training_data, make_draw, make_rounds
from anomend.training.stored_evaluations import StoredEvaluations
from tests.families.runs import PROMPTS, SCALE, SIDE, STEPS, TOKENS, TinyRun, tiny_run
from tests.families.tiny_bases import BASES

SEEDS = range(20_000, 20_002)
GREY_LEVEL = 1


@pytest.fixture(scope="module", params=[*BASES])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> TinyRun:
    """A base of each family, with its image sets encoded."""
    return tiny_run(request.param, tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="module")
def lora(run: TinyRun) -> Path:
    """A LoRA that run_training made of it, with class images and evaluations."""
    trained = run.train()
    # What diffusers' loader makes of the file, against the adapter in training.
    assert trained.metrics["reload_difference"] <= GREY_LEVEL and trained.metrics["steps"] == 4
    return run.folders().lora


def theirs(run: TinyRun, lora: Path | None, prompt: str, seed: int) -> np.ndarray:
    """diffusers' own pipeline, with nothing of this project: texts in words, one image."""
    pipeline = getattr(diffusers, load_class(run)).from_pretrained(run.base)
    pipeline.set_progress_bar_config(disable=True)
    if lora is not None:
        pipeline.load_lora_weights(lora)
    image = pipeline(
        prompt=prompt,
        height=SIDE,
        width=SIDE,
        num_inference_steps=STEPS,
        max_sequence_length=TOKENS,
        generator=torch.Generator().manual_seed(seed),
        output_type="pil",
        **BASES[run.name].call(SCALE),
    ).images[0]
    return np.asarray(image)


def load_class(run: TinyRun) -> str:
    return str(json.loads((run.base / "model_index.json").read_text())["_class_name"])


def apart(one: np.ndarray, other: np.ndarray) -> int:
    return int(np.abs(one.astype(int) - other.astype(int)).max())


def test_images_are_those_of_diffusers_pipeline_with_the_saved_lora(run: TinyRun, lora: Path) -> None:
    ours, base = run.images(lora, SEEDS), run.images(None, SEEDS)
    for prompt, seed in [(PROMPTS[0], SEEDS[0]), (PROMPTS[1], SEEDS[1])]:
        assert apart(ours[prompt, seed], theirs(run, lora, prompt, seed)) <= GREY_LEVEL
        # The LoRA, the seed and the prompt can all be told from the image.
        assert apart(ours[prompt, seed], base[prompt, seed]) > 5 * GREY_LEVEL
    assert apart(base[PROMPTS[0], SEEDS[0]], theirs(run, None, PROMPTS[0], SEEDS[0])) <= GREY_LEVEL
    assert apart(base[PROMPTS[0], SEEDS[0]], base[PROMPTS[0], SEEDS[1]]) > 10 * GREY_LEVEL
    assert apart(base[PROMPTS[0], SEEDS[0]], base[PROMPTS[1], SEEDS[0]]) > GREY_LEVEL


def test_one_step_of_the_pipeline_without_guidance_is_the_velocity_that_is_trained(run: TinyRun) -> None:
    """From the pipeline's own noise n, one step goes to n - v, which is what the decoder gets."""
    tiny, pipeline = BASES[run.name], load_pipeline(run.name, str(run.base), "float32")
    family, latent_format = family_of(pipeline), load_latent_format(run.name, str(run.base))
    texts = encode_texts(pipeline, PROMPTS, max_sequence_length=TOKENS, batch_size=1)
    shape = latent_format.process_in(
        torch.zeros(1, family.posterior_channels(pipeline.vae), SIDE // 8, SIDE // 8)
    ).shape
    seeds = (1, 2)
    noise = torch.cat([torch.randn(shape, generator=torch.Generator().manual_seed(seed)) for seed in seeds])
    with torch.no_grad():
        # Both texts in one batch, of which one is shorter.
        velocity = family.velocity(pipeline.transformer, noise, torch.ones(2), texts.rows(PROMPTS))
        encoded = latent_format.process_out(noise - velocity)
        decoded = pipeline.vae.decode(encoded[:, :, None] if tiny.video else encoded).sample
    pixels = (decoded[:, :, 0] if tiny.video else decoded).clamp(-1, 1) / 2 + 0.5
    for place, (prompt, seed) in enumerate(zip(PROMPTS, seeds, strict=True)):
        image = pipeline(
            prompt=prompt,
            height=SIDE,
            width=SIDE,
            num_inference_steps=1,
            max_sequence_length=TOKENS,
            generator=torch.Generator().manual_seed(seed),
            output_type="pt",
            **tiny.call(1.0),
        ).images[0]
        torch.testing.assert_close(pixels[place], image, atol=2e-4, rtol=0)
        assert pixels[place].std() > 0.02


def test_gradient_checkpointing_changes_neither_velocity_nor_gradients(run: TinyRun) -> None:
    transformer = load_pipeline(run.name, str(run.base), "float32").transformer
    family, texts = family_of(transformer), load_texts(run.folder / "encoded" / "prompts.safetensors").rows(PROMPTS)
    latent_format = load_latent_format(run.name, str(run.base))
    images = torch.randn(2, *load_encoded(run.folder / "encoded" / "instance.safetensors").mean.shape[2:])
    noisy, sigma = latent_format.process_in(images), torch.tensor([0.3, 0.8])

    def made() -> tuple[torch.Tensor, torch.Tensor]:
        latents = noisy.clone().requires_grad_()
        velocity = family.velocity(transformer, latents, sigma, texts)
        (gradient,) = torch.autograd.grad(velocity.square().sum(), latents)
        return velocity.detach(), gradient

    expected = made()
    family.checkpoint_gradients(transformer)
    assert transformer.is_gradient_checkpointing
    for found, value in zip(made(), expected, strict=True):
        torch.testing.assert_close(found, value)


def test_a_posterior_is_what_diffusers_vae_encodes_and_its_format_goes_back(run: TinyRun) -> None:
    tiny, pipeline = BASES[run.name], load_pipeline(run.name, str(run.base), "float32")
    family, latent_format = family_of(pipeline), load_latent_format(run.name, str(run.base))
    pixels = torch.rand(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.no_grad():
        mean, deviation = family.posterior(pipeline.vae, pixels)
        theirs = pipeline.vae.encode(pixels[:, :, None] if tiny.video else pixels).latent_dist
    assert mean.shape == (2, family.posterior_channels(pipeline.vae), SIDE // 8, SIDE // 8)
    assert torch.equal(mean.flatten(), theirs.mean.flatten()) and torch.equal(deviation.flatten(), theirs.std.flatten())
    packed = latent_format.process_in(mean)
    torch.testing.assert_close(packed, tiny.latents(pipeline.vae, mean))
    torch.testing.assert_close(latent_format.process_out(packed), mean)


def test_an_images_own_noise_has_the_precision_in_which_the_pipeline_draws_it(
    run: TinyRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its values are those of the test of one step."""
    pipeline = load_pipeline(run.name, str(run.base), "bfloat16")
    drawn: list[tuple[int, torch.dtype]] = []
    module = sys.modules[type(pipeline).__module__]
    draw = module.randn_tensor

    def note(shape: Any, *, dtype: torch.dtype, **options: Any) -> torch.Tensor:
        drawn.append((math.prod(shape), dtype))
        return draw(shape, dtype=dtype, **options)

    monkeypatch.setattr(module, "randn_tensor", note)
    generator = torch.Generator().manual_seed(600_001)
    pipeline(
        prompt=PROMPTS[0],
        height=SIDE,
        width=SIDE,
        num_inference_steps=1,
        generator=generator,
        max_sequence_length=TOKENS,
        **BASES[run.name].call(1.0),
    )
    losers = load_encoded(run.folder / "encoded" / "loser.safetensors")
    shape = load_latent_format(run.name, str(run.base)).process_in(losers.mean[0, 0]).shape
    dtype = family_of(pipeline).noise_dtype(torch.bfloat16)
    assert drawn == [(math.prod(shape), dtype)]
    noise = start_noise(losers, read_origins(run.folder / "encoded")["loser"], shape=shape, dtype=dtype)[1]
    expected = torch.randn((1, *shape), generator=torch.Generator().manual_seed(600_001), dtype=dtype)[0]
    assert torch.equal(noise, expected.float())


class Killed(BaseException):
    pass


@pytest.fixture
def killed_after_two_steps(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Training ends without a word once its first checkpoint is written."""
    save = LoraTrainer.save

    def save_and_die(trainer: LoraTrainer) -> None:
        save(trainer)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(LoraTrainer, "save", save_and_die)
        yield patch


@pytest.mark.parametrize("method", ["dreambooth", "dpo"])
def test_a_killed_training_goes_on_to_the_same_bytes(
    run: TinyRun, lora: Path, method: str, killed_after_two_steps: pytest.MonkeyPatch
) -> None:
    changes = {"train": {"method": method, "dpo": {"noise": "own"}}}
    with pytest.raises(Killed):
        run.train(f"resumed-{method}", **changes)
    killed_after_two_steps.undo()
    resumed = run.train(f"resumed-{method}", **changes)
    whole = (
        lora_sha256(lora) if method == "dreambooth" else run.train(f"whole-{method}", **changes).metrics["lora_sha256"]
    )
    assert resumed.metrics["lora_sha256"] == whole and resumed.trainer.progress.done == 4


def test_training_by_rewards_draws_and_encodes_with_the_family(run: TinyRun) -> None:
    """Two rounds, of which the first one's images are the base's."""
    params = run.params(train={"method": "nft", "class_batch_size": 0, "monitor": {"validation_draws": 0}})
    data, pipeline = load_training_data(params, run.folder / "encoded"), load_trained_parts(params)
    texts = load_texts(run.folder / "encoded" / "prompts.safetensors")
    draw = make_draw(params, pipeline, texts)
    stored = StoredEvaluations(SampleStore(run.folder / "nft"), {"a": 1}, draw=draw, batch_size=2, gigabytes=1)
    seen: list[Any] = []

    def every_other(images: Any) -> list[bool]:
        seen.extend(images)
        return [index % 2 == 0 for index in range(len(images))]

    rounds = make_rounds(params, pipeline, texts=texts, stored=stored, detect=every_other)
    trainer = LoraTrainer(
        pipeline.transformer, params.train, data, checkpoints=run.folder / "nft" / "checkpoints", rounds=rounds
    )
    trainer.run()
    assert trainer.progress.done == 4 and [each.images for each in trainer.progress.rounds] == [4, 4]
    first = run.images(None, range(params.train.nft.first_seed, params.train.nft.first_seed + 2))
    keys = [(prompt, params.train.nft.first_seed + index) for prompt in PROMPTS for index in range(2)]
    assert all(apart(image, first[key]) <= GREY_LEVEL for key, image in zip(keys, seen[:4], strict=True))
    assert all(row["norm_ratio"] > 0 for row in trainer.progress.rows)
    assert any(
        float(values.abs().max()) > 0 for name, values in lora_layers(trainer.transformer).items() if "_B" in name
    )


def test_the_projections_of_the_table_are_those_of_the_transformer(run: TinyRun) -> None:
    transformer = load_pipeline(run.name, str(run.base), "float32").transformer
    layers = (torch.nn.Linear, torch.nn.Conv2d)
    modules = {name for name, module in transformer.named_modules() if isinstance(module, layers)}
    table = set(family_of(transformer).projections())
    assert modules <= table
    # In the table there are more blocks, and nothing else.
    assert {re.sub(r"\.\d+\.", ".0.", name, count=1) for name in table} <= {
        re.sub(r"\.\d+\.", ".0.", name, count=1) for name in modules
    }
    assert {id(block) for block in blocks_of(transformer)} == {
        id(module) for module in transformer.modules() if type(module).__name__ in transformer._no_split_modules
    }


def test_fewer_bits_are_asked_of_the_familys_own_classes(run: TinyRun, monkeypatch: pytest.MonkeyPatch) -> None:
    """bitsandbytes needs a GPU: what it would be told."""
    asked: list[tuple[str, str, Any]] = []

    def load(cls: Any, path: str, *, subfolder: str, quantization_config: Any, **_: Any) -> torch.nn.Module:
        asked.append((cls.__name__, subfolder, quantization_config))
        return torch.nn.Identity()

    family = family_of_base(run.name)
    monkeypatch.setattr(quantisation, "need_bitsandbytes", lambda *_: None)
    for cls in (family.transformer_class(), family.large_text_encoder_class()):
        monkeypatch.setattr(
            cls,
            "from_pretrained",
            classmethod(
                lambda cls, pretrained_model_name_or_path, **options: load(
                    cls, pretrained_model_name_or_path, **options
                )
            ),
        )
    base = run.params(base={"quantise": "int8", "t5_8bit": True}).base
    quantised_transformer(base, bits="int8")
    eight_bit_text_encoder(base)
    index = json.loads((run.base / "model_index.json").read_text())
    assert [(name, part) for name, part, _ in asked] == [
        (index[part][1], part) for part in ("transformer", "text_encoder")
    ]
    assert asked[0][2].load_in_8bit and asked[1][2].load_in_8bit


def test_a_distilled_model_is_refused(run: TinyRun, tmp_path: Path) -> None:
    distilled = BASES[run.name].distilled
    if distilled is None:
        pytest.skip("nothing in its files tells a distilled model")
    file, key = distilled
    shutil.copytree(run.base, tmp_path / "base")
    path = tmp_path / "base" / file
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: True}))
    with pytest.raises(
        ValueError, match=r"base\.local_folder holds a distilled model, which has its guidance in it: take"
    ):
        load_pipeline(run.name, str(tmp_path / "base"), "float32")
