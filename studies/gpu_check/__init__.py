"""What real bases cost on this machine's GPU, by random weights of true shapes: `make gpu-check`."""
