"""The random base: published sizes, a pipeline that diffusers loads, and the stages that run on it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from diffusers import StableDiffusion3Pipeline

from anomend.diffusion.base_models import load_latent_format, load_pipeline
from anomend.diffusion.loading import prepare_decoder
from anomend.diffusion.sampling import load_sampler, sample_images
from anomend.params.diffusion import BaseModelParams
from anomend.project.metric_files import read_metrics
from studies.rehearsal.random_base import (
    BLOCK,
    SHRUNK,
    TRUE,
    build_component,
    build_t5_tokenizer,
    fill,
    parameter_counts,
    random_component,
    write_random_base,
)
from studies.rehearsal.run import rehearse, write_base

PARTS = ("transformer", "text_encoder", "text_encoder_2", "text_encoder_3", "vae")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("base")
    write_random_base(folder, SHRUNK, seed=0)
    return folder


def test_the_components_have_the_published_numbers_of_parameters() -> None:
    # Of the files of stabilityai/stable-diffusion-3-medium-diffusers.
    assert parameter_counts(TRUE) == {
        "transformer": 2_028_328_000,
        "text_encoder": 123_650_304,
        "text_encoder_2": 694_659_840,
        "text_encoder_3": 4_762_310_656,
        "vae": 83_819_683,
    }


def test_sizes_that_parameters_do_not_tell() -> None:
    transformer, vae = build_component(TRUE, "transformer").config, build_component(TRUE, "vae").config
    assert (transformer.sample_size, transformer.num_attention_heads, transformer.pos_embed_max_size) == (128, 24, 192)
    assert (vae.scaling_factor, vae.shift_factor, vae.force_upcast) == (1.5305, 0.0609, True)
    heads = [build_component(TRUE, part).config.num_attention_heads for part in PARTS[1:3]]
    activations = [build_component(TRUE, part).config.hidden_act for part in PARTS[1:3]]
    assert (heads, activations) == ([12, 20], ["quick_gelu", "gelu"])
    t5 = build_component(TRUE, "text_encoder_3").config
    assert (t5.num_heads, t5.d_kv, t5.feed_forward_proj) == (64, 64, "gated-gelu")


@pytest.mark.parametrize("part", PARTS)
def test_weights_are_those_at_the_start_of_a_training(part: str) -> None:
    model, again = random_component(SHRUNK, part, seed=1), random_component(SHRUNK, part, seed=1)
    other = random_component(SHRUNK, part, seed=2)
    assert {value.dtype for value in model.parameters()} == {torch.bfloat16}
    drawn = torch.cat([value.float().flatten() for value in model.parameters() if value.ndim > 1])
    assert abs(drawn.mean().item()) < 0.001 and drawn.std().item() == pytest.approx(0.02, rel=0.05)
    for name, value in model.named_parameters():
        assert value.ndim > 1 or set(value.tolist()) == {1.0 if name.endswith("weight") else 0.0}
    pairs = list(zip(model.parameters(), again.parameters(), other.parameters(), strict=True))
    assert all(torch.equal(a, b) for a, b, _ in pairs)
    assert not any(torch.equal(a, c) for a, _, c in pairs if a.ndim > 1)


def test_no_two_rows_of_a_matrix_larger_than_the_block_are_equal() -> None:
    layer = torch.nn.Linear(4096, 2100, dtype=torch.bfloat16)
    assert layer.weight.numel() > 2 * BLOCK
    fill(layer, torch.Generator().manual_seed(0))
    assert len(torch.unique(layer.weight[:, :64].float(), dim=0)) == 2100


def test_position_embeddings_are_diffusers_own() -> None:
    from diffusers.models.embeddings import get_2d_sincos_pos_embed

    ours = random_component(SHRUNK, "transformer", seed=0).pos_embed.pos_embed[0].float()
    theirs = get_2d_sincos_pos_embed(16, 16, base_size=8, output_type="pt")
    assert torch.allclose(ours, theirs.float(), atol=0.01)


def test_diffusers_loads_every_component_and_its_outputs_are_finite(base: Path) -> None:
    pipeline = StableDiffusion3Pipeline.from_pretrained(base, torch_dtype=torch.bfloat16)
    pipeline.set_progress_bar_config(disable=True)
    for part in PARTS:
        expected = random_component(SHRUNK, part, seed=0).state_dict()
        loaded = getattr(pipeline, part).state_dict()
        assert [name for name, value in expected.items() if not torch.equal(loaded[name], value)] == []
    assert pipeline.scheduler.config.shift == 3.0
    settings = {"steps": 2, "guidance_scale": 4.0, "resolution": 64, "max_sequence_length": 77, "batch_size": 2}
    images = list(sample_images(pipeline, [("lying on the grass", 1), ("zebra", 1)], **settings))
    assert all(image.shape == (64, 64, 3) and image.std() > 0 for image in images)


def test_texts_encoded_before_the_transformer_is_loaded_give_the_same_images(base: Path) -> None:
    prompts = ["lying on the grass", "standing on the beach"]
    base_params = BaseModelParams(
        name="rehearsal", local_folder=str(base), resolution=64, max_sequence_length=77, device="cpu", dtype="bfloat16"
    )
    settings = {"steps": 2, "guidance_scale": 4.0, "resolution": 64, "max_sequence_length": 77, "batch_size": 1}
    requests = [(prompt, 3) for prompt in prompts]
    pipeline, texts = load_sampler(base_params, prompts)
    assert pipeline.text_encoder_3 is None and texts.texts["embeds"].shape == (3, 154, 32)
    apart = list(sample_images(pipeline, requests, texts=texts, **settings))
    pipeline = load_pipeline("rehearsal", str(base), "bfloat16")
    prepare_decoder(pipeline, 64)
    whole = list(sample_images(pipeline, requests, **settings))
    assert all((a == b).all() for a, b in zip(apart, whole, strict=True))


def test_words_are_tokens_of_t5_and_other_words_are_spelled() -> None:
    tokenizer = build_t5_tokenizer()
    assert tokenizer.tokenize("lying on the grass") == ["▁lying", "▁on", "▁the", "▁grass"]
    assert tokenizer.tokenize("zoo") == ["▁", "z", "o", "o"]
    ids = tokenizer("lying", padding="max_length", max_length=4).input_ids
    assert ids[1:] == [tokenizer.eos_token_id, tokenizer.pad_token_id, tokenizer.pad_token_id]


def test_the_latent_format_is_stable_diffusion_3s(base: Path) -> None:
    latent_format = load_latent_format("rehearsal", str(base))
    assert (latent_format.scaling_factor, latent_format.shift_factor) == (1.5305, 0.0609)


@pytest.mark.slow
def test_the_stages_run_on_it_and_resume_after_a_kill(tmp_path: Path) -> None:
    changes = {"base": {"resolution": 64}, "train": {"steps": 30}}
    metrics = rehearse(tmp_path, tmp_path / "base", "shrunk", changes)
    stages = ("random_base", "encode", "train_killed", "train_resumed", "looks", "sample", "train_by_rewards")
    assert all(metrics[stage]["seconds"] > 0 and metrics[stage]["peak_memory_bytes"] > 2**26 for stage in stages)
    assert (tmp_path / "work/models/lora/pytorch_lora_weights.safetensors").exists()
    assert len(list((tmp_path / "work/data/samples/tuned").glob("*.png"))) == 2
    drawn = [row["n"] for row in read_metrics(tmp_path / "work_rewards/metrics/train.json")["by_round"].values()]
    assert drawn == [2, 2] and (tmp_path / "work_rewards/models/lora/pytorch_lora_weights.safetensors").exists()
    before = (tmp_path / "base" / "model_index.json").stat().st_mtime_ns
    assert write_base(tmp_path / "base", "shrunk", tmp_path) == metrics["random_base"]
    assert (tmp_path / "base" / "model_index.json").stat().st_mtime_ns == before
