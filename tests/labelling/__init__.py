"""Tests of the labels of single pictures."""
