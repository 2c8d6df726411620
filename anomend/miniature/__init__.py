"""The embedded world: drawn people with a planted defect, and a Stable Diffusion 3 in small that learned it."""
