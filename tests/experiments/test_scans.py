"""The study of scans on simulated images: seeds of its own for each run, and a stopped study goes on where it was."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from anomend.scanning.rounds import Requests
from studies.experiments import scans
from tests.parameters import params_of, user_params

RATES = {"lying on the grass": 0.81, "lying on the street": 0.81, "sitting on the snow": 0.8}


def test_runs_have_seeds_of_their_own_and_a_stopped_study_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    params, asked = params_of(user_params()), list[int]()

    def find(requests: Requests) -> dict[tuple[str, int], bool]:
        asked.extend(seed for _, seeds in requests for seed in seeds)
        rng = np.random.default_rng(asked[-1])
        return {(prompt, s): bool(rng.random() < RATES.get(prompt, 0.02)) for prompt, seeds in requests for s in seeds}

    monkeypatch.setattr(scans, "load_params", lambda: params)
    monkeypatch.setattr(scans, "scan_pictures", lambda params, suite: SimpleNamespace(find=find))
    table = tmp_path / "scans.csv"
    seeds: list[set[int]] = []
    for runs in ("1", "3"):
        asked.clear()
        monkeypatch.setattr("sys.argv", ["scans", "--runs", runs, "--table", str(table)])
        scans.main()
        seeds.append(set(asked))
    assert not seeds[0] & seeds[1]
    # Apart from every seed of the pipeline, those of confirmations (from 1,000,000,000 on) included.
    assert all(seed not in used for used in params.seed_ranges().values() for seed in seeds[0] | seeds[1])
    assert min(seeds[0]) == scans.FIRST_SEED and max(seeds[1]) < 1_000_000_000
    rows = pd.read_csv(table)
    assert list(rows["run"]) == [0, 1, 2] and set(rows["planted_found"]) == {3} and set(rows["others_found"]) == {0}
    assert (rows["images"] / rows["images_fixed_design"] < 0.4).all()
    assert "3 of 3 runs find the planted defects and nothing else" in capsys.readouterr().out
