"""The noise that an image was sampled from, its planted twin, and the strength of a preference, by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from anomend.diffusion.base_models import load_latent_format, load_pipeline
from anomend.diffusion.embeddings import encode_images, encode_texts
from anomend.diffusion.sampling import sample_images
from anomend.params.profiles import merge
from anomend.pictures.image_sets import METADATA, write_metadata
from anomend.project.seeding import torch_generator
from anomend.training.data import INSTANCE, LOSER, Batch, Draw, TrainingData, make_batch
from anomend.training.flow_matching import FlowMatching
from anomend.training.objectives import predict_velocity
from anomend.training.origins import needs_origins, read_origins, start_noise, twins, write_origins
from anomend.training.strength import DRAWS, with_strength
from tests.conftest import ROOT
from tests.diffusion.tiny import FORMAT, encoded_set, tiny_transformer, train_params
from tests.parameters import params_of, user_params

FLOW = FlowMatching()


def of(**changes: Any) -> Any:
    return params_of(merge(user_params(), changes))


def test_it_is_the_noise_of_diffusers_own_pipeline() -> None:
    pipeline = load_pipeline("mini", str(ROOT / "models" / "mini"), "float32")
    generators = [torch.Generator().manual_seed(seed) for seed in (600_003, 600_009)]
    theirs = pipeline.prepare_latents(2, 4, 32, 32, torch.float32, torch.device("cpu"), generators)
    encoded = replace(encoded_set(3, 1), mean=torch.zeros(3, 1, 4, 8, 8))
    base: dict[str, Any] = {"source": "base"}
    origins: dict[str, dict[str, Any]] = {
        "0000.png": base | {"seed": 600_003},
        "0001.png": {"source": "drawn_people", "seed": 5},
        "0002.png": base | {"seed": 600_009.0},
    }
    noise = start_noise(encoded, origins, shape=(4, 8, 8), dtype=torch.float32)
    assert set(noise) == {0, 2}
    assert torch.equal(noise[0], theirs[0]) and torch.equal(noise[2], theirs[1])
    half = start_noise(encoded, origins, shape=(4, 8, 8), dtype=torch.bfloat16)[0]
    assert (
        half.dtype == torch.float32 and torch.equal(half, half.bfloat16().float()) and not torch.equal(half, noise[0])
    )


def test_from_its_own_noise_an_image_is_what_the_base_predicts() -> None:
    """At a high noise level the base's velocity is near image minus noise only for the noise that became the image."""
    pipeline = load_pipeline("mini", str(ROOT / "models" / "mini"), "float32")
    prompt, seeds = "standing on the beach", [1, 2, 3, 4]
    texts = encode_texts(pipeline, [prompt, ""], max_sequence_length=1, batch_size=1)
    options: dict[str, Any] = {"steps": 8, "guidance_scale": 2.0, "resolution": 64, "max_sequence_length": 1}
    images = list(sample_images(pipeline, [(prompt, s) for s in seeds], **options, batch_size=4, texts=texts))
    mean, _ = encode_images(pipeline, images, 4)
    names = [f"{index:04d}.png" for index in range(4)]
    encoded = replace(encoded_set(4, 1), ids=names, mean=mean[:, None])
    origins = {n: {"source": "base", "seed": s} for n, s in zip(names, seeds, strict=True)}
    own = start_noise(encoded, origins, shape=mean.shape[1:], dtype=torch.float32)
    latents = load_latent_format("mini", str(ROOT / "models" / "mini")).process_in(mean)

    def loss(noise: torch.Tensor) -> torch.Tensor:
        sigma = torch.full((4,), 0.9)
        batch = Batch(
            latents=latents,
            noise=noise,
            sigma=sigma,
            texts=texts.rows([prompt] * 4),
            role=torch.full((4,), INSTANCE),
        )
        with torch.no_grad():
            velocity = predict_velocity(pipeline.transformer, batch, torch.float32)
        return FLOW.loss(velocity, latents=latents, noise=noise, sigma=sigma)

    fresh = torch.randn(latents.shape, generator=torch.Generator().manual_seed(99))
    with_own, with_fresh = loss(torch.stack([own[row] for row in range(4)])), loss(fresh)
    assert (with_own < with_fresh).all() and with_own.mean() < 0.8 * with_fresh.mean()


def test_an_image_keeps_its_noise_and_its_view_and_the_pair_its_noise_level() -> None:
    losers = replace(encoded_set(6, 9), ids=[f"loser-{row}" for row in range(6)])
    plain = TrainingData(instance=encoded_set(5, 1), classes=encoded_set(4, 2), latent_format=FORMAT, losers=losers)
    own = {LOSER: {0: torch.full((4, 4, 4), 7.0)}, INSTANCE: {2: torch.full((4, 4, 4), -3.0)}}
    kept = replace(plain, start_noise=own)
    pairs = [(0, 0), (0, 1), (2, 0), (2, 1)]
    units = [(Draw(INSTANCE, slot, winner), Draw(LOSER, slot, loser)) for slot, (winner, loser) in enumerate(pairs)]
    for step in range(8):
        before, after = (make_batch(data, units, seed=0, step=step, flow=FLOW) for data in (plain, kept))
        assert torch.equal(before.noise[1::2], before.noise[::2])
        for slot, (winner, loser) in enumerate(pairs):
            fresh = after.noise[2 * slot]
            if winner == 2:
                assert (fresh == -3).all()
            else:
                # Nothing else is drawn than without.
                assert torch.equal(fresh, before.noise[2 * slot])
            expected = own[LOSER].get(loser, fresh)
            assert torch.equal(after.noise[2 * slot + 1], expected)
            assert after.sigma[2 * slot] == after.sigma[2 * slot + 1]
            if winner == 2:
                latent = FORMAT.process_out(after.latents[2 * slot])
                assert (latent - plain.instance.mean[2, 0]).abs().max() < 0.6


def test_an_instance_image_is_paired_with_its_planted_twin() -> None:
    losers = replace(encoded_set(3, 9), ids=["a", "b", "c"])
    instance = encoded_set(4, 1)
    drawn: dict[str, Any] = {"source": "drawn_people"}
    planted: dict[str, Any] = {"source": "planted"}
    large = 2**62 + 1
    origins: dict[str, dict[str, Any]] = {
        "0000.png": drawn | {"seed": large},
        "0001.png": drawn | {"seed": 12},
        "0002.png": {"source": "base", "seed": 5},
        "0003.png": drawn | {"seed": float(77)},
    }
    of_losers = {"a": planted | {"seed": 5}, "b": planted | {"seed": 77}, "c": planted | {"seed": large}}
    assert twins(origins, of_losers, of=instance, among=losers) == {0: 2, 3: 1}


def test_origins_are_read_as_written_and_asked_for_where_they_count(tmp_path: Path) -> None:
    for name in ("instance", "loser"):
        (tmp_path / name).mkdir()
        write_metadata(tmp_path / name, [{"file_name": "0.png", "source": name, "seed": 3}, {"file_name": "1.png"}])
    write_origins(tmp_path, {name: tmp_path / name for name in ("instance", "loser")})
    nothing = {"source": None, "seed": None}
    assert read_origins(tmp_path)["loser"] == {"0.png": {"source": "loser", "seed": 3}, "1.png": nothing}
    with pytest.raises(ValueError, match="run `dvc repro encode`"):
        read_origins(tmp_path / METADATA)
    dpo = {"method": "dpo"}
    assert not needs_origins(of()) and not needs_origins(of(train=dpo))
    assert needs_origins(of(train=dpo | {"dpo": {"noise": "own"}}))
    assert needs_origins(of(train=dpo, losers={"source": "planted"}))


def test_the_strength_in_units_of_the_bases_loss() -> None:
    """beta over the mean of both sets' losses, each the mean over 64 quantiles of the noise level."""
    losers = replace(encoded_set(6, 9), ids=[f"loser-{row}" for row in range(6)])
    data = TrainingData(encoded_set(5, 1), encoded_set(4, 2), FORMAT, losers)
    transformer = tiny_transformer()
    assert with_strength(train_params(method="dpo"), data, transformer).dpo.beta == 100
    settings = train_params(method="dpo", dpo={"beta": 20.0, "beta_unit": "base_error"})
    strength = with_strength(settings, data, transformer).dpo.beta

    # Zero velocity, whose loss is |noise - latents|^2: the noise is known by its keys.
    class SD3Transformer2DModel(torch.nn.Module):
        device, dtype = torch.device("cpu"), torch.float32

        def forward(self, hidden_states: torch.Tensor, **_: Any) -> tuple[torch.Tensor]:
            return (torch.zeros_like(hidden_states),)

    by_hand = []
    for images in (data.instance, losers):
        rows = [place % len(images) for place in range(DRAWS)]
        latents = FORMAT.process_in(images.mean[rows, 0])
        noise = [torch.randn(4, 4, 4, generator=torch_generator(settings.seed, "validation", p)) for p in range(DRAWS)]
        by_hand.append(((torch.stack(noise) - latents) ** 2).mean().item())
    zero = with_strength(settings, data, SD3Transformer2DModel()).dpo.beta  # type: ignore[arg-type]
    assert zero == pytest.approx(20 / (sum(by_hand) / 2), rel=1e-5)
    assert strength != zero and 0 < strength < 1000


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"collect": {"source": "folder"}}, "losers.source = 'planted' plants anomalies in drawn people"),
        ({"train": {"dpo": {"noise": "own"}}}, "train.dpo.noise = 'own' needs images that were sampled here"),
    ],
)
def test_what_cannot_be_planted_or_known_is_refused(changes: Any, said: str) -> None:
    planted = {"losers": {"source": "planted", "detector": "none"}, "train": {"method": "dpo"}}
    params = of(**planted)
    assert not params.seed_ranges()["losers.first_seed"] and "losers.detector" in params.idle_detectors()
    with pytest.raises(ValueError) as refused:
        of(**merge(planted, changes))
    assert said in str(refused.value)
