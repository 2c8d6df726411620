"""Networks move to another device with all that they read; the CPU's arithmetic stays as it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from anomend.measuring import features, networks
from anomend.measuring.feature_store import FeatureStore
from anomend.measuring.features import EXTRACTORS, FeatureExtractor, get_extractor
from anomend.measuring.perceptual import PERCEPTUAL, lpips_vectors
from anomend.measuring.placing import Network, in_full_precision, placed

CPU = torch.device("cpu")


class Lpips(torch.nn.Module):
    """As torchmetrics' network: a backbone with one map, and its head."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = torch.nn.Conv2d(3, 4, 3)
        head = torch.nn.Module()
        head.model = torch.nn.Sequential(torch.nn.Dropout(), torch.nn.Conv2d(4, 1, 1, bias=False))
        head.model[-1].weight.data.abs_()
        self.lins = torch.nn.ModuleList([head])

    def net(self, batch: torch.Tensor) -> list[torch.Tensor]:
        return [self.backbone(batch)]


def network(name: str) -> Network:
    if name == "lpips":
        torch.manual_seed(0)
        return lpips_vectors(Lpips())  # type: ignore[return-value]
    extractor: FeatureExtractor = {"features": EXTRACTORS, "maps": PERCEPTUAL}[name]["efficientnet_lite0"]
    return extractor.load(extractor.find())  # type: ignore[return-value]


@pytest.mark.parametrize("name", ["features", "maps", "lpips"])
def test_everything_that_a_network_reads_moves_with_it(name: str) -> None:
    found, batch = network(name), torch.randn(3, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    assert isinstance(found, Network)
    with torch.inference_mode():
        before = placed(found, CPU)(batch)
        # Another precision stands for another device: what is left behind would not fit.
        found.weights.double()
        torch.testing.assert_close(found(batch.double()).float(), before, rtol=1e-3, atol=1e-4)
    placed(found, torch.device("meta"))
    assert {value.device.type for value in found.weights.state_dict().values()} == {"meta"}


def test_what_has_no_weights_is_left_alone() -> None:
    def forward(batch: torch.Tensor) -> torch.Tensor:
        return batch

    assert placed(forward, torch.device("meta")) is forward


def test_a_gpu_takes_a_whole_batch_and_a_cpu_two_images() -> None:
    sizes = {device: len(networks.lite0_parts(torch.empty(5, 3, 8, 8, device=device))) for device in ("cpu", "meta")}
    assert sizes == {"cpu": 3, "meta": 1}


def test_a_gpu_convolves_in_float32_and_a_cpu_keeps_its_settings() -> None:
    usual = torch.backends.cudnn.allow_tf32
    with in_full_precision(CPU):
        assert torch.backends.cudnn.allow_tf32 == usual
    with in_full_precision(torch.device("cuda")):
        assert not torch.backends.cudnn.allow_tf32 and torch.backends.cudnn.deterministic
    assert torch.backends.cudnn.allow_tf32 == usual


def test_the_store_computes_where_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def resolve(device: str) -> torch.device:
        asked.append(device)
        return CPU

    monkeypatch.setattr(features, "resolve_device", resolve)
    images: Any = [np.full((8, 8, 3), value, np.uint8) for value in (1, 2)]
    first = FeatureStore(tmp_path, "auto").features(get_extractor("efficientnet_lite0"), images)
    # Nothing is missing: where it would be computed does not matter.
    again = FeatureStore(tmp_path, "cuda").features(get_extractor("efficientnet_lite0"), images)
    np.testing.assert_array_equal(first, again)
    assert asked == ["auto"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_one_sentence() -> None:
    with pytest.raises(ValueError, match=r"torch sees no GPU here: set base\.device=auto"):
        get_extractor("efficientnet_lite0").extract([np.zeros((8, 8, 3), np.uint8)], device="cuda")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("table", [EXTRACTORS, PERCEPTUAL])
def test_a_gpu_gives_what_the_cpu_gives(table: dict[str, FeatureExtractor]) -> None:
    images: Any = list(np.random.default_rng(0).integers(0, 256, (5, 64, 64, 3), dtype=np.uint8))
    found = [table["efficientnet_lite0"].extract(images, 3, device=device) for device in ("cpu", "cuda", "cpu")]
    np.testing.assert_allclose(found[1], found[0], rtol=1e-3, atol=1e-4)
    np.testing.assert_array_equal(found[2], found[0])
