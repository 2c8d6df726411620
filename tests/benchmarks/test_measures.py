"""The benchmark of measures: both sides of a comparison compute the same, and a claim that does not hold says so."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from studies.benchmarks.costs import StepCost, step_cost
from studies.benchmarks.measure_tables import (
    KernelCost,
    SecondRun,
    SetCost,
    copy_section,
    feature_section,
    kernel_section,
    pair_section,
    second_run_section,
    set_section,
)
from studies.benchmarks.measure_works import main
from studies.benchmarks.processes import Run

Work = Callable[..., dict[str, Any]]


@pytest.fixture
def work(tmp_path: Path) -> Work:
    def run(name: str, *arrays: np.ndarray, repeat: int = 1) -> dict[str, Any]:
        files = [tmp_path / f"{number}.npy" for number in range(len(arrays))]
        for file, array in zip(files, arrays, strict=True):
            np.save(file, array)
        out = tmp_path / "metrics.json"
        main([name, str(out), "--repeat", str(repeat), *map(str, files)])
        found: dict[str, Any] = json.loads(out.read_text())
        return found

    return run


def test_both_sides_of_a_set_compute_the_same(work: Work) -> None:
    images = np.random.default_rng(0).integers(0, 256, (4, 24, 20, 3), dtype=np.uint8)
    expected = work("set_scikit_image", images) | work("set_published", images)
    assert work("set_ours", images) == pytest.approx(expected, abs=1e-9)
    assert work("set_ours", images, repeat=0) == {}


@pytest.mark.parametrize("kernel", ["polynomial", "gaussian"])
def test_both_sides_of_a_kernel_compute_the_same(work: Work, kernel: str) -> None:
    rng = np.random.default_rng(0)
    sets = [rng.normal(size=(n, 16)).astype(np.float32) for n in (30, 40)]
    assert work(f"{kernel}_blocks", *sets) == pytest.approx(work(f"{kernel}_whole", *sets), rel=1e-9)


def test_copies_are_found(work: Work) -> None:
    images = np.random.default_rng(0).integers(0, 256, (4, 64, 64, 3), dtype=np.uint8)
    assert work("copies", images, images[:2])["rate"] == 0.5


def test_a_second_run_measures_no_image(work: Work, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    images = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)
    first, second = work("features_stored", images), work("features_stored", images)
    assert (first["images_seen"], second["images_seen"]) == (5, 0) and first["sha256"] == second["sha256"]
    assert first["mean"] == pytest.approx(work("features", images)["mean"], rel=1e-6)
    images[3, 0, 0, 0] ^= 1
    changed = work("features_stored", images)
    assert changed["images_seen"] == 1 and changed["sha256"] != first["sha256"]


def cost(seconds: float, mib: int = 100) -> StepCost:
    """One second before the work."""
    return step_cost([(Run(1, 1, 2**20), Run(1 + seconds, 1 + seconds, mib * 2**20))], 0, 1)


@pytest.mark.parametrize(
    ("ours", "difference", "holding"),
    [(0.9, 1e-9, 2), (1.1, 1e-9, 1), (0.9, 2e-6, 1), (1.1, 2e-6, 0)],
)
def test_claims_about_a_set(ours: float, difference: float, holding: int) -> None:
    section = set_section(SetCost(10, 1024, cost(ours), cost(8), {"ssim": difference, "psnr": 0.0}))
    assert section.count("**holds**") == holding and section.count("**does not hold**") == 2 - holding
    assert "45 pairs" in section


def test_claims_about_cost() -> None:
    assert "**holds**" in pair_section(1000, 64, cost(59)) and "499,500 pairs" in pair_section(1000, 64, cost(59))
    assert "**does not hold**" in pair_section(1000, 64, cost(61))
    assert "**not decided**" in pair_section(1000, 64, cost(-0.1))
    assert "**holds**" in feature_section([1, 2, 4], [cost(1.0), cost(1.2)])
    assert "**does not hold**" in feature_section([1, 2, 4], [cost(1.0), cost(2.0)])
    assert "cost 450 times" in copy_section(900, 20, cost(0.2), cost(0.1))


@pytest.mark.parametrize(
    ("images_seen", "same", "holding", "failing"),
    [((900, 0), True, 2, 0), ((900, 1), True, 1, 1), ((900, 0), False, 1, 1), ((3, 0), True, 1, 0)],
)
def test_claims_about_a_second_run(images_seen: tuple[int, int], same: bool, holding: int, failing: int) -> None:
    section = second_run_section(SecondRun(900, cost(10), cost(0.5), images_seen, same))
    assert (section.count("**holds**"), section.count("**does not hold**")) == (holding, failing)
    assert "costs 0.050 (0.050 .. 0.050) times" in section
    assert "second run is lost in the noise" in second_run_section(
        SecondRun(900, cost(10), cost(-0.1), images_seen, same)
    )


def test_claims_about_kernels() -> None:
    good, large = KernelCost("polynomial", 1000, cost(1), cost(2), 1e-12), KernelCost("g", 10_000, cost(9), None, None)
    assert kernel_section([good, large]).count("**holds**") == 2
    wrong = KernelCost("polynomial", 1000, cost(1), cost(2), 1e-8)
    greedy = KernelCost("gaussian", 10_000, cost(9, mib=2000), None, None)
    assert kernel_section([wrong, greedy]).count("**does not hold**") == 2
