"""A LoRA in the layouts and with the papers that other programs and the hub expect."""
