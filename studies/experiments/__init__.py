"""Repeated runs of the pipeline, kept as committed tables."""
