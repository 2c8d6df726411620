"""Measurements that are run by hand; their numbers hold for the machine on which they were taken."""
