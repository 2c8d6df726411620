"""Rates, intervals, tests and comparisons of two sets of images.

There are two designs. The pipeline's own images are paired: the base and the tuned model draw the same prompt from the
same seed (`paired_effect`, `compare_within_set`). The paper's published images are not (`permutation_test`,
`within_set_permutation_test`, `unpaired_interval`, `within_set_interval`). Every random draw comes from
`anomend.project.seeding`, so a result is a pure function of its data and its seed.
"""
