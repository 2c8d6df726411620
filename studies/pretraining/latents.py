"""Draw the pictures of one training phase and encode them once: `latents.py right`, `defect` or `null_base`."""

from __future__ import annotations

import argparse
import json

import numpy as np
import torch
from diffusers import AutoencoderKL
from safetensors.torch import save_file

from anomend.miniature.dataset import draw
from studies.pretraining.autoencoder import encode
from studies.pretraining.phases import BUILD, PHASES
from studies.pretraining.settings import load_settings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("phase", choices=tuple(PHASES))
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
    autoencoder = AutoencoderKL.from_pretrained(PHASES[phase].autoencoder).float().eval()
    means, deviations = encode(autoencoder, images)
    captions = json.dumps([drawing.caption for drawing in drawings])
    path = BUILD / f"latents_{phase}.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({"mean": means.contiguous(), "std": deviations.contiguous()}, path, metadata={"captions": captions})
    print(f"{len(drawings)} pictures, {sum(bool(d.anomaly) for d in drawings)} anomalous, in {path}")


if __name__ == "__main__":
    main()
