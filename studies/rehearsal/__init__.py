"""Stable Diffusion 3 Medium's true shapes with random weights, run through the stages that fine-tune and sample."""
