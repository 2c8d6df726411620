"""LoRAs that other programs trained: read from their files, or refused in one sentence."""
