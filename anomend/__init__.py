"""Correct what a text-to-image model draws wrong for some prompts, and prove the correction."""

import os

# torch's threads wait for each other by spinning, for milliseconds each time. Where other processes want the cores too,
# the one that is waited for gets no core meanwhile: features that take a second on an idle machine took over a minute.
# After about 0.1 ms they sleep now, which bridges the gaps between a model's operations. No result changes. It has to
# be set before torch is loaded, and nothing of this package can load it earlier. What the user sets wins.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "2000")
