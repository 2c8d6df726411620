"""What must hold between sections: no image is both trained on and judged."""

from __future__ import annotations

from typing import Any

import pytest

from anomend.params.profiles import profile_names, resolve
from tests.parameters import PROFILES

DPO = {"method": "dpo"}


def resolved(profile: str = "mini", **changes: Any) -> Any:
    return resolve({"profile": profile} | changes, PROFILES)


@pytest.mark.parametrize(
    ("changes", "one", "other"),
    [
        ({"losers": {"first_seed": 20000}, "train": DPO}, "losers.first_seed = 20000", "sample.first_seed = 20000"),
        ({"losers": {"first_seed": 19990}, "train": DPO}, "losers.first_seed = 19990", "sample.first_seed = 20000"),
        ({"class_images": {"first_seed": 20127}}, "class_images.first_seed = 20127", "sample.first_seed = 20000"),
        ({"sample": {"first_seed": 500000}}, "class_images.first_seed = 500000", "sample.first_seed = 500000"),
        (
            {"train": {"monitor": {"first_seed": 20005}}},
            "train.monitor.first_seed = 20005",
            "sample.first_seed = 20000",
        ),
        (
            {"losers": {"first_seed": 700000}, "train": DPO},
            "losers.first_seed = 700000",
            "train.monitor.first_seed = 700000",
        ),
        (
            {"losers": {"first_seed": 500001}, "train": DPO},
            "losers.first_seed = 500001",
            "class_images.first_seed = 500000",
        ),
    ],
    ids=lambda value: str(value)[:30],
)
def test_images_that_are_judged_are_never_trained_on(changes: Any, one: str, other: str) -> None:
    with pytest.raises(ValueError) as refused:
        resolved(**changes)
    said = str(refused.value)
    assert one in said and other in said and "move one of them" in said and len(said.splitlines()) == 1


def test_the_held_out_prompts_seeds_count_too() -> None:
    changes = {"sample": {"held_out_seeds_per_prompt": 300}, "losers": {"first_seed": 20200}}
    with pytest.raises(ValueError, match=r"losers\.first_seed = 20200 .* 20200 to 20327 and 20000 to 20299"):
        resolved(**changes, train=DPO)


def test_seeds_that_are_not_used_or_only_touch_are_no_matter() -> None:
    resolved(losers={"first_seed": 20000})
    resolved(sample={"first_seed": 500000 + 32 * 8}, class_images={"max_tries": 8})
    resolved(sample={"first_seed": 700000}, train={"monitor": {"every": 0, "patience": 0, "keep": "last"}})


@pytest.mark.parametrize("profile", profile_names(PROFILES))
@pytest.mark.parametrize("method", ["dreambooth", "dpo"])
def test_the_seeds_of_every_profile_are_apart(profile: str, method: str) -> None:
    ranges = resolved(profile, train={"method": method}).seed_ranges().values()
    seeds = [seed for used in ranges for seed in used]
    assert len(seeds) == len(set(seeds))


@pytest.mark.parametrize(("steps", "warmup"), [(1, 20), (1, 1)])
def test_a_training_that_could_learn_nothing_is_refused(steps: int, warmup: int) -> None:
    with pytest.raises(ValueError, match=rf"train\.warmup_steps = {warmup}, whose learning rate"):
        resolved(train={"steps": steps, "warmup_steps": warmup})


def test_without_a_warm_up_one_step_is_enough() -> None:
    assert resolved(train={"steps": 1, "warmup_steps": 0}).train.steps == 1
    assert resolved(train={"steps": 2}).train.warmup_steps == 20
    assert resolved(train={"steps": 5, "lr_scheduler": "constant"}).train.steps == 5


TOO_MANY = [(number + 1) / 21 for number in range(21)]


@pytest.mark.parametrize("looks", [[], [0.5], [0.5, 0.5, 1.0], [0.6, 0.4, 1.0], [0.0, 1.0], [0.5, 1.5], TOO_MANY])
def test_looks_rise_to_all_seeds(looks: list[float]) -> None:
    with pytest.raises(ValueError, match=r"verdict\.looks"):
        resolved(verdict={"looks": looks})


def test_looks_sample_in_one_process() -> None:
    resolved(sample={"launcher": ["nice"]})
    with pytest.raises(ValueError, match=r"verdict\.looks with several looks .* sample\.launcher"):
        resolved(sample={"launcher": ["nice"]}, verdict={"looks": [0.5, 1.0]})
