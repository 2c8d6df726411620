"""Which collected images are good enough to teach the model, and why the others are not."""
