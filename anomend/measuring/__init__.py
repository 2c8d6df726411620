"""Measures of sets of images, one file per measure; `samples` measures all of them on one model's samples."""
