"""Detector `photographs`: people, their bodies and hands, by networks that run offline on a CPU."""
