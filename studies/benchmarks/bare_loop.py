"""The least that a training step can be: forward, backward, optimizer step, on one batch that stays in memory.

`python -m studies.benchmarks.bare_loop TRANSFORMER --batch B --tokens T --rank R --targets NAME ... --steps N`. It uses
nothing of this project.
"""

from __future__ import annotations

import argparse

import torch
from diffusers import SD3Transformer2DModel
from peft import LoraConfig


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("transformer")
    for name in ("--batch", "--tokens", "--rank", "--steps"):
        parser.add_argument(name, type=int, required=True)
    parser.add_argument("--targets", nargs="+", required=True)
    args = parser.parse_args()

    torch.manual_seed(0)
    transformer = SD3Transformer2DModel.from_pretrained(args.transformer, torch_dtype=torch.float32)
    transformer.requires_grad_(False)
    config = LoraConfig(r=args.rank, lora_alpha=args.rank, init_lora_weights="gaussian", target_modules=args.targets)
    transformer.add_adapter(config)
    transformer.train()
    parameters = [parameter for parameter in transformer.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=1e-3, fused=True)

    shape = transformer.config
    noisy = torch.randn(args.batch, shape.in_channels, shape.sample_size, shape.sample_size)
    velocity = torch.randn_like(noisy)
    inputs = {
        "hidden_states": noisy,
        "timestep": torch.rand(args.batch) * 1000,
        "encoder_hidden_states": torch.randn(args.batch, args.tokens, shape.joint_attention_dim),
        "pooled_projections": torch.randn(args.batch, shape.pooled_projection_dim),
    }
    for _ in range(args.steps):
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(transformer(**inputs, return_dict=False)[0], velocity).backward()
        optimizer.step()


if __name__ == "__main__":
    main()
