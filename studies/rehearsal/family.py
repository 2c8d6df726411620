"""A family's base at its true shapes, without weights: parameters and memory by plan: `make rehearsal FAMILY=z-image`.

The shapes are in `shapes/`. Nothing is downloaded, and on torch's meta device nothing has memory. With `--step` the
transformer gets random weights, and one optimizer step is made and measured.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from accelerate import init_empty_weights

from anomend.diffusion.base_models import family_of_base
from anomend.diffusion.embeddings import EncodedSet
from anomend.diffusion.lora import add_lora
from anomend.families.latent_format import LatentFormat
from anomend.params.params import Params
from anomend.params.profiles import merge, read_profile, validated
from anomend.project.paths import PROFILES
from anomend.project.seeding import torch_generator
from anomend.project.yaml_files import read_yaml
from anomend.training.data import TrainingData
from anomend.training.loop import LoraTrainer
from studies.rehearsal.child import ROOT
from studies.rehearsal.random_base import fill

SHAPES = Path(__file__).with_name("shapes")
BITS = {"none": None, "int8": 8, "nf4": 4}
COPIES = 6
"""float32 copies of the LoRA while training: weights, gradients, AdamW's two moments, the average and the best ones."""
SIDE, TOKENS = 256, 32
"""Of the images of `--step` in pixels, and of their texts."""


def components(path: Path) -> dict[str, torch.nn.Module]:
    """The parts of a file of shapes in bfloat16 on the meta device."""
    default = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        with torch.device("meta"):
            return {name: _made(**part) for name, part in read_yaml(path).items()}
    finally:
        torch.set_default_dtype(default)


def _made(**part: Any) -> torch.nn.Module:
    library, _, name = part["class"].partition(".")
    made = getattr(import_module(library), name)
    model: torch.nn.Module = (
        made(made.config_class(**part["config"])) if library == "transformers" else made(**part["config"])
    )
    return model


def parameters(model: torch.nn.Module) -> int:
    """Parameters, shared ones counted once."""
    return sum(value.numel() for value in model.parameters())


def plan(params: Params, parts: dict[str, torch.nn.Module]) -> dict[str, Any]:
    """Parameters by part, and gigabytes of weights by stage.

    Args:
        params: the profile's; precision, quantisation and rank count.
        parts: on the meta device.

    Returns:
        `parameters` by part, with those of the LoRA; `gigabytes` (10^9 bytes) of weights that `encode`, `train` and
        `sample` hold at once. Activations come on top, and grow with images and batch.
    """
    counts = {name: parameters(part) for name, part in parts.items()}
    train, base = params.train, params.base
    lora = add_lora(
        parts["transformer"],
        rank=train.rank,
        alpha=train.alpha,
        target_modules=train.target_modules,
        use_rslora=train.use_rslora,
        use_dora=train.use_dora,
    )
    counts["lora"] = sum(value.numel() for value in lora)
    plain = {"float32": 32, "bfloat16": 16, "float16": 16}[base.dtype]
    training_bits = BITS[train.quantise_base] or BITS[base.quantise] or plain
    vae = counts["vae"] * 32
    bits = {
        "encode": max(counts["text_encoder"] * (8 if base.t5_8bit else plain), vae),
        "train": counts["transformer"] * training_bits + counts["lora"] * 32 * COPIES,
        "sample": counts["transformer"] * (BITS[base.quantise] or plain) + counts["lora"] * 32 + vae,
    }
    return {"parameters": counts, "gigabytes": {stage: round(value / 8e9, 2) for stage, value in bits.items()}}


def one_step(params: Params, transformer: Any, channels: int) -> dict[str, float]:
    """Seconds and peak memory of one optimizer step on noise, with random weights.

    Args:
        params: the profile's.
        transformer: on the meta device, without an adapter.
        channels: of the VAE's latents.
    """
    family, config = family_of_base(params.base.name), transformer.config
    width = config["joint_attention_dim"] if "joint_attention_dim" in config else config["cap_feat_dim"]
    transformer = transformer.to_empty(device="cpu")
    fill(transformer, torch_generator(0, "transformer"))
    restore_buffers(transformer)
    side = SIDE // 8
    latents = torch.randn(1, 1, channels, side, side, generator=torch_generator(0, "latents"))
    texts = {"embeds": torch.randn(1, TOKENS, width, generator=torch_generator(0, "texts"))}
    texts["mask"] = torch.ones(1, TOKENS, dtype=torch.bool)
    images = EncodedSet(["0.png"], latents, latents.abs(), torch.zeros(1, dtype=torch.long), ["a"], texts, ["a"])
    settings = params.train.model_copy(update={"batch_size": 1, "class_batch_size": 0, "gradient_checkpointing": True})
    data = TrainingData(instance=images, classes=None, latent_format=LatentFormat(1.0, 0.0, family.latent_patch))
    with tempfile.TemporaryDirectory() as folder:
        trainer = LoraTrainer(transformer, settings, data, checkpoints=Path(folder))
        trainer.model.train()
        start = time.perf_counter()
        row = trainer.step()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"seconds": round(time.perf_counter() - start, 2), "peak_memory_bytes": peak, "loss": row["loss"]}


def restore_buffers(transformer: Any) -> None:
    """Give constants that a transformer computes when it is made their values, which the meta device has not kept."""
    if not any(True for _ in transformer.buffers()):
        return
    with init_empty_weights(include_buffers=False):
        made = dict(type(transformer).from_config(transformer.config).named_buffers())
    for name, buffer in transformer.named_buffers():
        buffer.copy_(made[name])


def profile(name: str) -> Params:
    """The parameters of a family's profile, which has its name."""
    return validated(merge(read_profile(name, ROOT / PROFILES), {"profile": name}))


def main() -> None:
    names = sorted(path.stem for path in SHAPES.glob("*.yaml"))
    parser = argparse.ArgumentParser(prog="python -m studies.rehearsal.family", description=__doc__)
    parser.add_argument("family", choices=names, help="a base with a profile of the same name")
    parser.add_argument("--step", action="store_true", help="also make one step with random weights, on the CPU")
    options = parser.parse_args()
    params, path = profile(options.family), SHAPES / f"{options.family}.yaml"
    found = plan(params, components(path))
    for part, count in found["parameters"].items():
        print(f"{part:<14} {count:>16,} parameters")
    for stage, gigabytes in found["gigabytes"].items():
        print(f"{stage:<14} {gigabytes:>16,.2f} GB of weights at once, without activations")
    if options.step:
        parts = components(path)
        channels = family_of_base(params.base.name).posterior_channels(parts["vae"])
        print(one_step(params, parts["transformer"], channels))


if __name__ == "__main__":
    try:
        main()
    except (ValueError, MemoryError) as error:
        sys.exit(f"rehearsal: {error}")
