"""Delete stored samples, the ones that were used longest ago first: `make clean-samples GIGABYTES=20`.

Nothing is lost but time: what a run needs is sampled again, or taken over from its outputs.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from anomend.diffusion.text_store import MOST_BYTES, TextStore
from anomend.params.resolved import load_params
from anomend.pictures.sample_store import SampleStore
from anomend.project.paths import SAMPLE_STORE
from anomend.project.run import run_stage
from anomend.project.shared_folders import shared_folder


def main(gigabytes: float) -> None:
    store = SampleStore(shared_folder(Path.cwd(), SAMPLE_STORE, load_params().sample.store))
    deleted = store.prune(int(gigabytes * 1e9))
    TextStore(store.folder).prune(min(int(gigabytes * 1e9), MOST_BYTES))
    left = len(store.recipes())
    print(f"{store.folder}: {len(deleted)} sets of samples were deleted; {left} are left, {store.size() / 1e6:,.0f} MB")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m commands.clean_samples", description=__doc__)
    parser.add_argument("--gigabytes", type=float, required=True, help="size that the store may keep; 0 empties it")
    run_stage("clean_samples", partial(main, parser.parse_args().gigabytes), measured=False)
