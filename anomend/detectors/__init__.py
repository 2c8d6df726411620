"""Detectors of people and their anatomy in images: one file per detector, and one row each in `table.DETECTORS`."""
