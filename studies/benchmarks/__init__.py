"""Measurements that are run by hand; their figures hold for the machine that they were taken on."""
