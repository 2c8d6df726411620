"""Draw the pictures of one training phase and encode them once: `latents.py right` or `latents.py defect`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from safetensors.torch import save_file

from anomend.miniature.dataset import draw
from studies.pretraining.autoencoder import encode
from studies.pretraining.settings import load_settings

BUILD = Path("studies/pretraining/build")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("phase", choices=("right", "defect"))
    phase = parser.parse_args().phase
    settings = getattr(load_settings(), phase)
    drawings = draw(
        count=settings.pictures,
        seed=settings.seed,
        defect_rate=settings.defect_rate,
        focus=settings.focus,
        contrast=settings.contrast,
    )
    images = torch.from_numpy(np.stack([drawing.image for drawing in drawings]))
    autoencoder = AutoencoderKL.from_pretrained(BUILD / "autoencoder").eval()
    means, deviations = encode(autoencoder, images)
    captions = json.dumps([drawing.caption for drawing in drawings])
    path = BUILD / f"latents_{phase}.safetensors"
    save_file({"mean": means.contiguous(), "std": deviations.contiguous()}, path, metadata={"captions": captions})
    print(f"{len(drawings)} pictures, {sum(bool(d.anomaly) for d in drawings)} anomalous, in {path}")


if __name__ == "__main__":
    main()
