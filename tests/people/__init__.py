"""Tests of anomend.people."""
