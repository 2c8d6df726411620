"""The work of a run, against numbers that were counted by hand from the profiles."""

from __future__ import annotations

from typing import Any

import pytest

from anomend.params.profiles import merge
from anomend.pipeline.work import passes_per_image, sampling_work, training_work, tries_per_image, work_of
from tests.parameters import params_of, user_params


def of(profile: str, **changes: dict[str, Any]) -> Any:
    return params_of(merge(user_params() | {"profile": profile}, changes))


def test_the_miniatures_work() -> None:
    """2 target prompts x 160 seeds, 6 held-out ones and a sibling x 80, 20 steps with guidance; 300 steps of 8 + 4."""
    work = work_of(of("mini"))
    assert work["sample_base"].images == work["measure@tuned"].images == 320 + 560
    assert work["sample_base"].sampling == work["sample_tuned"].adapted == 880 * 20 * 2
    assert work["class_images"].images == 5 * 32 and work["class_images"].sampling == 160 * 40
    assert work["losers"].images == work["losers"].model_evaluations == 0
    # 48 collected images and their mirror images, and the class images.
    assert work["encode"].encoding == 48 * 2 + 160
    assert work["train"].steps == 300 and work["train"].training == 300 * 12
    # At steps 50, 100, ... 300: 2 prompts x 16 seeds, and 64 fixed draws; at the end two images twice.
    assert work["train"].images == 6 * 32 + 4
    assert work["train"].adapted == (6 * 32 + 4) * 40 + 6 * 64
    # 16 pairs of each target prompt.
    assert work["judge"].images == 2 * 32


def test_the_work_of_stable_diffusion_3_5_medium() -> None:
    work = work_of(of("sd35-medium"))
    assert work["sample_base"].images + work["sample_tuned"].images == 2 * (256 + 7 * 64)
    assert work["sample_base"].sampling == 704 * 80
    assert work["class_images"].images == 60 and work["train"].images == 84 and work["train"].training == 8000
    # 20 images, each whole and in three crops, and mirrored.
    assert work["encode"].encoding == 20 * 4 * 2 + 60
    # 704 pictures of a megapixel at 1.5 bytes a pixel.
    assert work["sample_base"].disk_bytes == 704 * 1024 * 1024 * 3 // 2


def test_without_guidance_evaluations_and_class_images() -> None:
    work = work_of(of("paper"))
    assert work["class_images"].images == 0 and work["train"].images == work["train"].adapted == 0
    assert work["train"].training == 500 * 4 and work["judge"].images == 0
    assert passes_per_image(of("paper", sample={"guidance_scale": 1.0})) == 28


def test_preference_training_handles_winners_losers_and_the_frozen_base() -> None:
    work = work_of(of("mini", train={"method": "dpo"}))
    assert work["losers"].images == 2 * 16
    assert work["train"].training == 300 * (8 + 8 + 4) and work["train"].sampling == 300 * 16
    assert work["encode"].encoding == 48 * 2 + 160 + 32


def test_rewards_take_the_images_of_all_rounds() -> None:
    work = work_of(of("mini", train={"method": "nft"}))["train"]
    # 384 steps of 32 + 16 images, and the base's velocity of each. Four rounds of 512 images in 20 steps; after each
    # of them 16 images of two target and two further prompts, and 64 fixed draws; at the end two images twice.
    assert work.steps == 384 and work.training == work.sampling == 384 * 48
    assert work.images == 4 * 512 + 4 * 64 + 4
    # The old weights' velocity of each drawn image in each step.
    assert work.adapted == 4 * 512 * 40 + (4 * 64 + 4) * 40 + 4 * 64 + 384 * 32
    assert work_of(of("mini", train={"method": "nft"}))["encode"].encoding == 160
    # Rounds with half of the results' sampling steps.
    fewer = work_of(of("mini", train={"method": "nft", "nft": {"sample_steps": 10}}))["train"]
    assert work.adapted - fewer.adapted == 4 * 512 * 20 and fewer.images == work.images
    # 96 steps, and two of a second round.
    short = of("mini", train={"method": "nft", "steps": 98, "monitor": {"every": 0, "max_held_out_rate": "none"}})
    assert training_work(short).images == 2 * 512


def test_labels_take_one_round_of_the_base_or_none() -> None:
    work = training_work(of("mini", train={"method": "labels"}))
    assert work.images == 256 + 3 * 64 + 4 and work.adapted == work.images * 40 + 3 * 64
    labelled = {"pictures": "data/labelled", "labels": "data/labels"}
    assert training_work(of("mini", train={"method": "labels", "labelled": labelled})).images == 3 * 64 + 4


def test_the_last_step_is_evaluated_too_and_micro_batches_change_no_work() -> None:
    changed = of("mini", train={"steps": 120, "micro_batch_size": 1, "monitor": {"seeds_per_prompt": 1}})
    # At steps 50, 100 and 120: 2 images each, and the same two twice.
    assert training_work(changed).images == 3 * 2 + 4 and training_work(changed).training == 120 * 12


@pytest.mark.parametrize(("kept", "tries"), [(1.0, 1.0), (0.5, 2.0), (0.1, 4.0), (0.0, 4.0)])
def test_rejected_images_are_replaced_by_further_ones_as_long_as_tries_are_left(kept: float, tries: float) -> None:
    assert tries_per_image(kept, 4) == tries


def test_images_are_made_in_whole_blocks_of_a_prompt() -> None:
    params = of("mini", sample={"target_seeds_per_prompt": 3, "held_out_seeds_per_prompt": 17, "batch_size": 16})
    work = work_of(params, kept={"class_images": 159 / 160})
    # Two target prompts in one block each, six held-out ones and a sibling in two; measured are only those that were
    # asked for.
    assert work["sample_base"].images == 2 * 16 + 7 * 32 and work["measure@base"].images == 2 * 3 + 7 * 17
    # Two of 162 are rejected, of different prompts in the worst case: each takes one more block.
    assert work["class_images"].images == 160 + 2 * 16


def test_images_that_are_rejected_cost_more_up_to_all_tries() -> None:
    params = of("mini", train={"method": "dpo"})
    half, worst = (work_of(params, kept={"class_images": kept, "losers": kept}) for kept in (0.5, 0.0))
    assert half["class_images"].images == 320 and worst["class_images"].images == 160 * 4
    assert worst["losers"].images == 32 * 8
    # However many are sampled, only those are kept that were wanted.
    assert worst["class_images"].disk_bytes == work_of(params)["class_images"].disk_bytes


def test_right_images_of_the_base_take_sampling_where_they_are_collected() -> None:
    params = of("mini", collect={"source": "base"})
    # 24 images of each of two prompts, in blocks of 16.
    assert work_of(params)["collect"].images == 64 and work_of(params)["collect"].sampling == 64 * 40
    # A quarter is right: 96 of each prompt; at worst 384.
    assert work_of(params, kept={"collect": 0.25})["collect"].images == 192
    worst = work_of(params, kept={"collect": 0.0})["collect"]
    assert worst.images == 768 and worst.disk_bytes == work_of(of("mini"))["collect"].disk_bytes
    mixed = work_of(of("mini", collect={"mix": {"base": 3}}))["collect"]
    assert mixed.images == 48 + 2 * 16 and mixed.sampling == 32 * 40
    assert work_of(of("mini"))["collect"].model_evaluations == 0


def test_images_that_are_there_already_are_not_sampled_again() -> None:
    params = of("mini")
    assert sampling_work(params, "sample_base", already_made=820).sampling == 60 * 40
    work = work_of(params, already_made={"sample_base": 880})
    assert work["sample_base"].images == 0 and work["sample_tuned"].images == 880


def test_looks_do_the_work_of_both_models_at_most() -> None:
    params = of("mini", verdict={"looks": [0.2, 1.0]})
    work = work_of(params)
    # 2 target prompts x 160 seeds, 6 held-out ones and a sibling x 80; the sibling is not looked at.
    assert work["looks"].images == 2 * 880 and work["looks"].measuring == 2 * 800 and work["looks"].at_most
    assert work["looks"].sampling == work["looks"].adapted == 880 * 40
    # The stages after it find these images in the store.
    assert work["sample_base"].images == work["sample_tuned"].images == 0
    assert work["sample_base"].model_evaluations == 0
    without = work_of(of("mini", verdict={"looks": [0.2, 1.0]}, prompts={"siblings": []}))
    assert without["looks"].images == without["looks"].measuring == 2 * 800
    assert work["measure@base"].at_most and not work_of(of("mini"))["measure@base"].at_most
    assert work_of(of("mini"))["looks"].images == 0


def test_the_best_of_n_draws_at_most_n_images_for_each_and_says_that_it_may_be_fewer() -> None:
    changes: dict[str, Any] = {"train": {"method": "none"}, "sample": {"tuned": {"best_of": {"n": 4}}}}
    work = work_of(of("mini", **changes))
    tuned = work["sample_tuned"]
    # No LoRA is trained, so the base draws them.
    assert tuned.images == 4 * 880 and tuned.sampling == 4 * 880 * 40 and tuned.adapted == 0 and tuned.at_most
    assert work["sample_base"].images == 880 and not work["sample_base"].at_most
    assert work["measure@tuned"].images == 880
    assert not work["train"].amounts and work["class_images"].images == 0
    looks = work_of(of("mini", **changes, verdict={"looks": [0.2, 1.0]}))["looks"]
    assert looks.images == 5 * 880 and looks.sampling == 5 * 880 * 40 and looks.adapted == 0


def test_skip_layer_guidance_takes_further_passes_of_the_tuned_model() -> None:
    work = work_of(of("mini", sample={"tuned": {"skip_layers": {"layers": [2]}}}))
    # Of 20 steps, 1, 2 and 3 are between .01 and .2 of them.
    assert work["sample_tuned"].adapted == 880 * 43 and work["sample_base"].sampling == 880 * 40
    assert not work["sample_tuned"].at_most
