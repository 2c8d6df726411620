"""Keyed seeds: equal keys draw alike, any other key draws otherwise."""

import torch

from anomend.project.seeding import derived_seed, numpy_generator, python_random, torch_generator


def test_equal_keys_draw_alike() -> None:
    assert torch.equal(
        torch.randn(5, generator=torch_generator(1, "noise", 3)),
        torch.randn(5, generator=torch_generator(1, "noise", 3)),
    )
    assert numpy_generator(1).random() == numpy_generator(1).random()
    assert python_random("a").random() == python_random("a").random()


def test_keys_do_not_run_into_each_other() -> None:
    keys: list[tuple[int | str, ...]] = [(1, 23), (12, 3), ("1", 23), (1, "23"), (1, 2, 3), ("123",), (123,)]
    assert len({derived_seed(*key) for key in keys}) == len(keys)
    assert all(0 <= derived_seed(*key) < 2**63 for key in keys)
