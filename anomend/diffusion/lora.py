"""LoRA adapters on the transformer: made by peft, saved as diffusers loads them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from diffusers import DiffusionPipeline, ModelMixin
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from safetensors import SafetensorError
from safetensors.torch import load_file

from anomend.diffusion.finite import check_finite
from anomend.diffusion.lora_folder import WEIGHT_NAME, lora_sha256
from anomend.diffusion.projections import refuse_unknown_targets
from anomend.diffusion.sharding import gathered
from anomend.families.table import family_of
from anomend.project.files import write_whole


def add_lora(
    transformer: ModelMixin,
    *,
    rank: int,
    alpha: float,
    target_modules: Sequence[str],
    use_rslora: bool = False,
    use_dora: bool = False,
) -> list[torch.nn.Parameter]:
    """Freeze the transformer and add a trainable adapter in float32.

    Its scale is alpha / rank, with rsLoRA alpha / sqrt(rank). DoRA adds a trained magnitude for each output.

    LoRA-A is drawn from torch's global generator, which must be seeded first (Gaussian, as in diffusers' scripts).
    LoRA-B is 0, so that a new adapter changes nothing.

    Returns:
        The trainable parameters, in the model's order.

    Raises:
        ValueError: no module of the transformer has one of the names, or it cannot have an adapter.
    """
    refuse_unknown_targets(target_modules, (name for name, _ in transformer.named_modules() if name), "this base")
    transformer.requires_grad_(False)
    config = LoraConfig(
        r=rank,
        lora_alpha=alpha,
        init_lora_weights="gaussian",
        target_modules=list(target_modules),
        use_rslora=use_rslora,
        use_dora=use_dora,
    )
    try:
        transformer.add_adapter(config)
    except ValueError as error:
        raise ValueError(
            # peft's own sentence ends with the whole module.
            f"train.target_modules = {list(target_modules)} names a module that is not a projection:"
            f" {' '.join(str(error).partition('(')[0].split())}"
        ) from error
    parameters = [parameter for parameter in transformer.parameters() if parameter.requires_grad]
    for parameter in parameters:
        parameter.data = parameter.data.float()
    return parameters


def lora_layers(transformer: ModelMixin) -> dict[str, torch.Tensor]:
    """The adapter's weights by peft's names, gathered from all shards; every process must call this."""
    return {name: gathered(value.detach()) for name, value in get_peft_model_state_dict(transformer).items()}


def save_lora(transformer: ModelMixin, folder: Path, layers: Mapping[str, torch.Tensor] | None = None) -> str:
    """Write the adapter with its rank and alpha, for `load_lora_weights(folder)` of the base's pipeline.

    Args:
        transformer: the model with the adapter.
        folder: created if needed.
        layers: the adapter's weights from `lora_layers`; None: gather them.

    Returns:
        SHA-256 of the weights file.

    Raises:
        ValueError: a weight is not finite; nothing is written.
    """
    layers = dict(layers) if layers is not None else lora_layers(transformer)
    for name, value in layers.items():
        check_finite(value, f"the LoRA's weight {name}", "lower train.learning_rate, or set base.dtype=bfloat16")
    folder.mkdir(parents=True, exist_ok=True)
    family_of(transformer).pipeline_class().save_lora_weights(
        folder,
        transformer_lora_layers=layers,
        transformer_lora_adapter_metadata=_metadata(transformer.peft_config["default"]),
        weight_name=WEIGHT_NAME,
    )
    sort_metadata(folder / WEIGHT_NAME)
    return lora_sha256(folder)


def sort_metadata(path: Path) -> None:
    """Sort the metadata of a safetensors file, because its writer's order changes from call to call.

    Layout (safetensors' format): 8 bytes of little-endian header length, the header as JSON, the tensors' bytes.
    """
    content = path.read_bytes()
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    encoded = json.dumps(header, separators=(",", ":")).encode()
    encoded += b" " * (-len(encoded) % 8)
    write_whole(path, len(encoded).to_bytes(8, "little") + encoded + content[8 + size :])


def _metadata(config: LoraConfig) -> dict[str, object]:
    # Sets are unordered, and the file's SHA-256 must not depend on their order.
    entries = config.to_dict()
    return {key: sorted(value) if isinstance(value, set) else value for key, value in sorted(entries.items())}


def adapter_sha256(transformer: ModelMixin) -> str:
    """SHA-256 of an adapter as it is in memory: its weights, and how they enter the model; not that of its file.

    Every process must call this where the adapter is sharded.
    """
    config = _metadata(transformer.peft_config["default"])
    digest = hashlib.sha256(json.dumps(config, sort_keys=True, default=str).encode())
    for name, value in sorted(lora_layers(transformer).items()):
        digest.update(f"{name} {tuple(value.shape)} {value.dtype};".encode())
        digest.update(value.cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def check_saved_lora(file: Path) -> None:
    """Refuse a file of weights that is broken, or has a value that is not finite.

    Raises:
        ValueError: it is or has; the sentence names the file.
    """
    try:
        weights = load_file(file)
    except SafetensorError as error:
        raise ValueError(f"{file} is broken ({error}): run `make check-cache`, then `dvc repro train`") from None
    for name, value in weights.items():
        check_finite(value, f"{file}: {name}", "train it again, or get the file again")


def load_lora(pipeline: DiffusionPipeline, folder: Path) -> None:
    """Load an adapter into a pipeline, with diffusers' loader.

    Raises:
        ValueError: the folder has no weights, or broken ones, they are not finite, or they were made for another base.
    """
    if not (folder / WEIGHT_NAME).exists():
        raise ValueError(f"{folder / WEIGHT_NAME} is missing: run `dvc repro train`, or `dvc pull` it")
    check_saved_lora(folder / WEIGHT_NAME)
    try:
        pipeline.load_lora_weights(folder, weight_name=WEIGHT_NAME)
    except (RuntimeError, ValueError) as error:
        if "out of memory" in str(error).lower():
            raise
        raise ValueError(
            f"{folder} does not fit this base: train it again on base.name ({str(error)[:120]})"
        ) from error
