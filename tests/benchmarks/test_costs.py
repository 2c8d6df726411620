"""The benchmark's arithmetic, and what it notes of a process."""

import sys
from pathlib import Path

import pytest

from studies.benchmarks.costs import Spread, StepCost, step_cost
from studies.benchmarks.processes import Command, Run, environment, measure
from studies.benchmarks.tables import Comparison, summary

MIB = 2**20


def test_cost_a_step_is_free_of_what_runs_once() -> None:
    # 8 s and 9 s once, 0.1 s and 0.2 s a step.
    pairs = [
        (Run(8 + 20 * 0.1, 12 + 20 * 0.15, 500), Run(8 + 120 * 0.1, 12 + 120 * 0.15, 510)),
        (Run(9 + 20 * 0.2, 12 + 20 * 0.25, 505), Run(9 + 120 * 0.2, 12 + 120 * 0.25, 490)),
    ]
    cost = step_cost(pairs, 20, 120)
    assert cost.seconds.values == pytest.approx((0.1, 0.2))
    assert cost.cpu_seconds.values == pytest.approx((0.15, 0.25))
    assert cost.once.values == pytest.approx((8, 9))
    assert cost.peak_bytes == 510
    assert cost.measured


def test_steps_that_are_lost_in_the_noise_are_no_measurement() -> None:
    cost = step_cost([(Run(10, 1, 1), Run(9.5, 1, 1)), (Run(10, 1, 1), Run(12, 1, 1))], 20, 40)
    assert not cost.measured


def test_ratios_are_taken_repeat_by_repeat() -> None:
    ratio = Spread((0.2, 0.9, 0.3)).over(Spread((0.1, 0.3, 0.3)))
    assert ratio.values == pytest.approx((2, 3, 1))
    assert ratio.show(1) == "2.0 (1.0 .. 3.0)"


def test_peak_memory_is_that_of_the_process_itself(tmp_path: Path) -> None:
    ballast = bytearray(600 * MIB)  # the measuring process may be larger than what it measures
    ballast[::4096] = b"x" * len(ballast[::4096])
    code = "import sys; block = bytearray(int(sys.argv[1])); block[::4096] = b'x' * len(block[::4096])"
    runs = [
        measure(Command([sys.executable, "-S", "-c", code, str(size * MIB)], tmp_path), environment(1, tmp_path))
        for size in (200, 500)
    ]
    assert (runs[1].peak_bytes - runs[0].peak_bytes) / MIB == pytest.approx(300, abs=15)
    assert all(run.seconds > 0 for run in runs)
    assert runs[0].peak_bytes < len(ballast)


def test_a_process_that_fails_ends_the_measurement_with_its_last_lines(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="no such adapter"):
        measure(Command([sys.executable, "-c", "raise SystemExit('no such adapter')"], tmp_path), {})


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"(?s)no-such-program ended with None.*No such file"):
        measure(Command(["no-such-program"], tmp_path), {})


def test_the_summary_compares_with_the_mode_that_does_the_same_work() -> None:
    def cost(seconds: tuple[float, float], peak: int) -> StepCost:
        return StepCost(Spread(seconds), Spread(seconds), Spread((1.0, 1.0)), peak)

    costs = {"ours": cost((0.1, 0.2), 90), "bare loop": cost((0.1, 0.1), 50), "diffusers, one prompt": cost((1, 1), 10)}
    encoding = Run(5, 5, 120)
    alone = summary([Comparison("4 images", costs, encoding)]).splitlines()
    assert alone[-1] == "| 4 images | ours | 1.50 (1.00 .. 2.00) |"
    costs["diffusers, captions"] = cost((0.3, 0.2), 160)
    both = summary([Comparison("4 images", costs, encoding)]).splitlines()
    # 0.3 / 0.1 and 0.2 / 0.2 times; the peak is that of encoding, 120 of 160.
    assert both[-1] == "| 4 images | ours | 1.50 (1.00 .. 2.00) | 2.00 (1.00 .. 3.00) | 0.75 |"
