"""What must hold between sections: no image is both trained on and judged."""

from __future__ import annotations

from typing import Any

import pytest

from anomend.params.profiles import resolve
from tests.parameters import NAMES, PROFILES

DPO = {"method": "dpo"}
NFT = {"method": "nft"}
BASE = {"source": "base"}


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
        (
            {"train": NFT | {"nft": {"first_seed": 20159}}},
            "train.nft.first_seed = 20159",
            "sample.first_seed = 20000",
        ),
        (
            {"train": NFT | {"nft": {"first_seed": 699500}}},
            "train.nft.first_seed = 699500",
            "train.monitor.first_seed = 700000",
        ),
        (
            {"train": {"method": "labels", "nft": {"first_seed": 500127}}},
            "train.nft.first_seed = 500127",
            "class_images.first_seed = 500000",
        ),
        # 24 images of each prompt, in 384 tries at most.
        ({"collect": BASE | {"base": {"first_seed": 20159}}}, "collect.base.first_seed = 20159", "sample.first_seed"),
        ({"collect": BASE | {"base": {"first_seed": 19617}}}, "collect.base.first_seed = 19617", "sample.first_seed"),
        ({"collect": BASE | {"base": {"first_seed": 500000}}}, "collect.base.first_seed = 500000", "class_images."),
        ({"collect": BASE | {"base": {"first_seed": 699700}}}, "collect.base.first_seed = 699700", "train.monitor."),
        (
            {"collect": BASE | {"base": {"first_seed": 600127}}, "train": DPO},
            "collect.base.first_seed = 600127",
            "losers.first_seed = 600000",
        ),
        (
            {"collect": BASE | {"base": {"first_seed": 800511}}, "train": NFT},
            "collect.base.first_seed = 800511",
            "train.nft.first_seed = 800000",
        ),
        (
            {"collect": {"mix": {"base": 4}, "base": {"first_seed": 19969}}},
            "collect.base.first_seed = 19969",
            "sample.first_seed = 20000",
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
    resolved(train={"nft": {"first_seed": 20000}})
    resolved(collect={"base": {"first_seed": 20000}})
    resolved(collect=BASE | {"base": {"first_seed": 19616}})
    resolved(collect={"mix": {"base": 4}, "base": {"first_seed": 19968}})
    labelled = {"pictures": "data/labelled", "labels": "data/labels"}
    resolved(train={"method": "labels", "nft": {"first_seed": 20000}, "labelled": labelled})
    # Four rounds of 256 images of each prompt.
    resolved(train=NFT | {"nft": {"first_seed": 700000 - 1024}})
    with pytest.raises(ValueError, match="reaches into the seeds"):
        resolved(train=NFT | {"nft": {"first_seed": 700000 - 1023}})
    resolved(sample={"first_seed": 500000 + 32 * 8}, class_images={"max_tries": 8})
    resolved(sample={"first_seed": 700000}, train={"monitor": {"every": 0, "patience": 0, "keep": "last"}})


def test_the_tries_of_the_best_of_n_have_seeds_of_their_own() -> None:
    resolved(sample={"tuned": {"best_of": {"first_seed": 20000}}})
    best = {"n": 3, "first_seed": 470000}
    # Three times 160 seeds, each 10,000 after the other.
    params = resolved(sample={"tuned": {"best_of": best}})
    assert params.seed_ranges()["sample.tuned.best_of.first_seed"] == range(470000, 490160)
    with pytest.raises(ValueError, match=r"class_images\.first_seed = 500000 reaches into the seeds of sample\.tuned"):
        resolved(sample={"tuned": {"best_of": best | {"first_seed": 480000}}})
    with pytest.raises(ValueError, match=r"reaches into the seeds of sample\.first_seed"):
        resolved(sample={"tuned": {"best_of": best | {"first_seed": 20159}}})


WITHOUT = {"method": "none"}


@pytest.mark.parametrize(
    ("train", "sample", "said"),
    [
        (WITHOUT, {}, "train.method = 'none' trains no LoRA, and sample.tuned sets nothing"),
        ({}, {"guidance_scale": 1.0, "tuned": {"negative_prompt": "x"}}, "sample.guidance_scale = 1 turns that off"),
        (
            WITHOUT,
            {"guidance_scale": 1.0, "tuned": {"skip_layers": {"layers": [1]}}},
            "sample.tuned.skip_layers is a part of guidance",
        ),
        ({}, {"steps": 5, "tuned": {"skip_layers": {"layers": [1]}}}, "none of sample.steps = 5 steps lies between"),
        ({}, {"tuned": {"skip_layers": {"layers": []}}}, "sample.tuned.skip_layers.layers = []"),
        ({}, {"tuned": {"skip_layers": {"layers": [2, 1, 2]}}}, "layers names 2 twice"),
        ({}, {"tuned": {"skip_layers": {"start": 0.2}}}, "start = 0.2 is not below stop = 0.2"),
        ({}, {"tuned": {"best_of": {"n": 1}}}, "sample.tuned.best_of.n = 1"),
        ({}, {"tuned": {"best_of": {"n": 4, "detector": "none"}}}, "and sample.tuned.best_of.detector = 'none'"),
        ({}, {"target_seeds_per_prompt": 10_001, "tuned": {"best_of": {"n": 2}}}, "at most 10,000 seeds per prompt"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_tuned_model_that_cannot_be_sampled_is_refused(train: Any, sample: Any, said: str) -> None:
    with pytest.raises(ValueError) as refused:
        resolved(train=train, sample=sample)
    assert said in str(refused.value) and len(str(refused.value).splitlines()) == 1


def test_without_training_nothing_of_training_is_asked_for() -> None:
    monitor = {"every": 0, "patience": 3, "keep": "best", "first_seed": 20000}
    params = resolved(train=WITHOUT | {"monitor": monitor}, sample={"tuned": {"best_of": {"n": 2}}})
    assert params.class_images.per_prompt == 0 and not params.preserved_prompts()
    assert {"train.monitor.detector", "class_images.detector"} <= params.idle_detectors()
    assert "sample.tuned.best_of.detector" not in params.idle_detectors()
    assert "sample.tuned.best_of.detector" in resolved().idle_detectors()
    # Real bases have no detector that chooses until one is set.
    with pytest.raises(ValueError, match=r"sample\.tuned\.best_of\.n = 2 needs a detector"):
        resolved("sd35-medium", train=WITHOUT, sample={"tuned": {"best_of": {"n": 2}}})
    negative = resolved(sample={"tuned": {"negative_prompt": "extra limbs"}})
    assert "extra limbs" in negative.sampled_prompts() and "extra limbs" not in resolved().sampled_prompts()


@pytest.mark.parametrize("profile", NAMES)
@pytest.mark.parametrize("method", ["dreambooth", "dpo", "nft", "labels"])
def test_the_seeds_of_every_profile_are_apart(profile: str, method: str) -> None:
    detectors: dict[str, Any] = {} if profile == "mini" else {"detector": "photographs"}
    monitor = detectors | {"every": 50, "validation_draws": 0} if method in ("nft", "labels") else {}
    collecting = BASE | {"base": detectors}
    train = {"method": method, "nft": detectors, "monitor": monitor}
    best = {"tuned": {"best_of": {"n": 20} | detectors}}
    ranges = resolved(profile, train=train, collect=collecting, sample=best).seed_ranges().values()
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


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (NFT | {"batch_size": 40}, "= 3072 images a round, which is not a multiple of train.batch_size = 40"),
        (
            NFT | {"nft": {"second_detector": "drawn_people"}},
            "'drawn_people' is the detector that rewards",
        ),
        (NFT | {"nft": {"detector": "none"}}, "train.nft.detector = 'none' gives no rewards for train.method = 'nft'"),
        ({"method": "labels", "nft": {"detector": "none"}}, "gives no rewards for train.method = 'labels'"),
        ({"method": "labels", "labelled": {"pictures": "data/labelled"}}, "set both, or neither"),
        (NFT | {"monitor": {"held_out_prompts": ["lying on the grass"]}}, "a target prompt, which is watched anyway"),
        (NFT | {"monitor": {"detector": "none"}}, "train.monitor.max_held_out_rate stops by anomalies of"),
        ({"monitor": {"max_held_out_rate": 0.1}}, "train.monitor.max_held_out_rate stops by anomalies of"),
        (NFT | {"class_batch_size": 0}, "train.monitor.validation_draws with train.method = 'nft' are of class images"),
        (NFT | {"nft": {"beta": 0.0}}, "train.nft.beta = 0.0: input should be greater than 0"),
        (NFT | {"nft": {"old_decay_most": 1.0}}, "train.nft.old_decay_most = 1.0: input should be less than 1"),
        (NFT | {"nft": {"images_per_prompt": 1}}, "train.nft.images_per_prompt = 1"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_rewards_that_cannot_be_had_are_refused(changes: Any, said: str) -> None:
    with pytest.raises(ValueError) as refused:
        resolved(train=changes)
    assert said in str(refused.value) and len(str(refused.value).splitlines()) == 1


def test_pictures_that_people_labelled_need_no_detector() -> None:
    labelled = {"pictures": "data/labelled", "labels": "data/labels"}
    train = {"method": "labels", "nft": {"detector": "none"}, "labelled": labelled}
    both = {"train.nft.detector", "train.nft.second_detector"}
    assert both <= resolved(train=train).idle_detectors() and not both & resolved(train=NFT).idle_detectors()


def test_a_methods_defaults_are_between_the_defaults_and_the_profile() -> None:
    plain, nft = resolved().train, resolved(train=NFT).train
    assert (plain.prior_loss_weight, nft.prior_loss_weight) == (1.0, 0.03)
    assert (plain.batch_size, nft.batch_size) == (8, 32) and nft.rank == plain.rank
    # What the user sets wins, and so does a profile.
    assert resolved(train=NFT | {"prior_loss_weight": 0.5}).train.prior_loss_weight == 0.5
    rewarded = {"nft": {"detector": "photographs"}, "monitor": {"detector": "photographs"}}
    real = resolved("sd35-medium", train=NFT | rewarded).train
    assert (real.learning_rate, real.batch_size, real.class_batch_size) == (1e-4, 4, 16)
    # A quick run lowers them too.
    quick = resolved(level="quick", train=NFT).train
    assert (quick.steps, quick.nft.images_per_prompt) == (100, 16)


@pytest.mark.parametrize(
    ("train", "against", "said"),
    [
        ({"method": "external"}, {}, "train.external.file names none: set it, with train.external.author"),
        ({"external": {"file": "a", "author": "Ann"}}, {}, "train.method = 'dreambooth' does not take one"),
        ({}, {"file": "a.safetensors"}, "sample.against: file = 'a.safetensors' has no author"),
        ({}, {"author": "Ann"}, "sample.against: author is set, and file is not"),
        ({}, {"file": "a", "repository": "ann/lora"}, "repository is set, and revision is not"),
        ({}, {"file": "a", "repository": "ann/lora", "revision": "main"}, "sample.against.revision = 'main'"),
        ({}, {"file": "a", "author": "Ann", "revision": "0" * 40}, "revision is set, and repository is not"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_lora_of_another_program_that_is_not_named_whole_is_refused(train: Any, against: Any, said: str) -> None:
    with pytest.raises(ValueError) as refused:
        resolved(train=train, sample={"against": against})
    assert said in str(refused.value) and len(str(refused.value).splitlines()) == 1


def test_a_lora_of_the_hub_is_its_owners_and_nothing_is_trained(raw_params: dict[str, Any]) -> None:
    hub = {"file": "a.safetensors", "repository": "ann/lora", "revision": "0" * 40}
    params = resolved(train={"method": "external", "external": hub})
    assert params.train.external.owner == "ann" and params.train.external.origin == f"ann/lora@{'0' * 40}"
    assert params.train.has_lora and not params.train.makes_lora
    assert params.class_images.per_prompt == 0 and params.preserved_prompts() == []
    assert "train.monitor.detector" in params.idle_detectors()
