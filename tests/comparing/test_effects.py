"""Effects of `compare` measure by measure: the same values as of each set alone, and correct pairs."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from anomend.collecting.drawn_people import collect_drawn_people
from anomend.comparing.effects import (
    Effects,
    Resampling,
    clip_effects,
    instance_effects,
    perceptual_effects,
    within_set_effects,
)
from anomend.comparing.pairs import Pairs, read_pairs
from anomend.measuring.feature_store import FeatureStore
from anomend.measuring.features import EXTRACTORS, Images, get_extractor
from anomend.measuring.group_metrics import feature_metrics, groups_of, similarity_metrics
from anomend.measuring.network_metrics import further_extractor_metrics, perceptual_network_metrics
from anomend.measuring.networks import hub_weights
from anomend.measuring.set_metrics import Features
from anomend.params.evaluation import MeasureParams
from anomend.pictures.image_sets import ImageFolderWriter, load_image, read_imagefolder
from tests.measuring.test_clip_score import save_clip

PROMPTS = {"lying on the grass": "target", "lying on the street": "target", "standing on the beach": "held_out"}
NETWORK = "efficientnet_lite0"
MEASURE = MeasureParams.model_validate(
    {"detector": "drawn_people", "extractor": NETWORK, "perceptual": [NETWORK], "within_set_images": 4, "batch_size": 8}
)
CLIP = MeasureParams.model_validate(MEASURE.model_dump() | {"further_extractors": ["clip"]})
HOW: Resampling = {"seed": 0, "resamples": 200, "permutations": 200, "confidence": 0.95}


def write_samples(folder: Path, drawn_with: int, order: list[int]) -> None:
    """Five seeds of each prompt, in an order of their own."""
    rows = [
        (prompt, group, seed, image.image)
        for prompt, group in PROMPTS.items()
        for seed, image in enumerate(collect_drawn_people([prompt], 5, seed=drawn_with))
    ]
    writer = ImageFolderWriter(folder)
    for place in order:
        prompt, group, seed, image = rows[place]
        writer.add(f"{place}.png", image, text=f"a photo, {prompt}", prompt=prompt, group=group, seed=seed)
    writer.close()


@pytest.fixture
def samples(tmp_path: Path) -> Path:
    write_samples(tmp_path / "base", 1, list(range(15)))
    write_samples(tmp_path / "tuned", 2, list(range(15))[::-1])
    return tmp_path


@pytest.fixture
def instances() -> Images:
    return [image.image for image in collect_drawn_people(["lying on the grass"], 6, seed=3)]


def stored(samples: Path, instances: Images) -> tuple[list[Features], Features]:
    """Features of each model's images in the order of its own table, and of the instance images."""
    extractor = get_extractor(NETWORK)
    own = [
        extractor.extract([load_image(path) for path in read_imagefolder(samples / model)["path"]])
        for model in ("base", "tuned")
    ]
    return own, extractor.extract(instances)


def test_pairs_are_of_one_prompt_and_seed_whatever_the_order_of_the_files(samples: Path) -> None:
    pairs = read_pairs(samples)
    assert list(pairs) == ["", "_held_out"] and [len(own.prompts) for own in pairs.values()] == [10, 5]
    tables = [read_imagefolder(samples / model) for model in ("base", "tuned")]
    for own in pairs.values():
        for place, (prompt, text) in enumerate(zip(own.prompts, own.texts, strict=True)):
            rows = [table.iloc[own.rows[model, place]] for model, table in enumerate(tables)]
            assert {row["prompt"] for row in rows} == {prompt} and rows[0]["seed"] == rows[1]["seed"]
            assert [row["path"] for row in rows] == [paths[place] for paths in own.paths]
            assert text == f"a photo, {prompt}"
    assert [list(places) for places in pairs[""].places(2).values()] == [[0, 1], [5, 6]]
    one, two = pairs[""].images(np.array([7]))
    assert np.array_equal(one, load_image(pairs[""].paths[0][7])) and not np.array_equal(one, two)


def test_an_image_without_a_partner_is_named(samples: Path) -> None:
    write_samples(samples / "more", 1, list(range(14)))
    (samples / "tuned").rename(samples / "other")
    (samples / "more").rename(samples / "tuned")
    with pytest.raises(ValueError, match="'standing on the beach' with seed 4 is among the base samples only"):
        read_pairs(samples)


def all_effects(pairs: Pairs, own: list[Features], known: Features, instances: Images, store: FeatureStore) -> Effects:
    features = np.stack([values[rows] for values, rows in zip(own, pairs.rows, strict=True)])
    return (
        within_set_effects(pairs, features, MEASURE, how=HOW)
        | perceptual_effects(pairs, instances, MEASURE, store=store, how=HOW)
        | instance_effects(pairs, features, known, extractor=NETWORK, nearer="lower", how=HOW)
    )


@pytest.mark.slow
def test_both_sides_of_an_effect_are_the_metrics_of_the_sets_alone(
    samples: Path, instances: Images, tmp_path: Path
) -> None:
    own, known = stored(samples, instances)
    store = FeatureStore(tmp_path / "store")
    for suffix, pairs in read_pairs(samples).items():
        effects = all_effects(pairs, own, known, instances, store)
        for model, side in enumerate(("base", "tuned")):
            table = read_imagefolder(samples / side)
            images, group = [load_image(path) for path in table["path"]], groups_of(table, 4)[suffix]
            metrics = similarity_metrics(images, group.sets) | feature_metrics(
                features=own[model], instances=known, group=group, extractor=NETWORK
            )
            groups = {suffix: group}
            perceptual, _ = perceptual_network_metrics(
                NETWORK, images=images, instance_images=instances, groups=groups, store=store
            )
            metrics[f"perceptual_{NETWORK}"] = perceptual[f"perceptual_{NETWORK}{suffix}"]["within_set"]
            for name, effect in effects.items():
                assert getattr(effect, side) == pytest.approx(metrics[name], rel=1e-5), name
        directions = {name: effect.better for name, effect in effects.items()}
        assert directions["diversity"] == directions[f"perceptual_{NETWORK}"] == "higher"
        if suffix:
            # Five pairs: no test can reach p < .05 by images, and within a set four seeds of a prompt are none.
            assert all(effect.p is None and effect.reason for effect in effects.values())
        else:
            assert all(effect.p is not None and 0 < effect.p <= 1 for effect in effects.values())
            assert all(effect.ci_low is not None and effect.ci_high is not None for effect in effects.values())
            assert effects["diversity"].ratio == pytest.approx(effects["diversity"].tuned / effects["diversity"].base)  # type: ignore[operator]


@pytest.mark.slow
def test_one_training_image_a_prompt_is_seen_as_near_and_alike(instances: Images, tmp_path: Path) -> None:
    write_samples(tmp_path / "base", 1, list(range(15)))
    rows = read_imagefolder(tmp_path / "base")
    writer = ImageFolderWriter(tmp_path / "tuned")
    for row in rows.drop(columns="path").to_dict("records"):
        words = {key: str(row[key]) for key in ("text", "prompt", "group")}
        writer.add(
            str(row["file_name"]), instances[list(PROMPTS).index(words["prompt"])], seed=int(row["seed"]), **words
        )
    writer.close()
    own, known = stored(tmp_path, instances)
    effects = all_effects(read_pairs(tmp_path)[""], own, known, instances, FeatureStore(tmp_path / "store"))
    near = effects["nearest_instance_similarity"]
    assert near.tuned == pytest.approx(1) and near.ci_low is not None and near.ci_low > 0
    assert near.p is not None and near.p < 0.05
    for name in ("diversity", f"perceptual_{NETWORK}"):
        assert effects[name].ci_high is not None and effects[name].ci_high < 0  # type: ignore[operator]
    assert effects["ssim_within"].ci_low is not None and effects["ssim_within"].ci_low > 0


def test_a_network_that_is_not_here_is_null_with_its_reason(
    samples: Path, instances: Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> Path:
        raise FileNotFoundError("weights cannot be reached")

    monkeypatch.setitem(EXTRACTORS, "clip", replace(EXTRACTORS["clip"], find=missing))
    asked = MeasureParams.model_validate(CLIP.model_dump() | {"perceptual": ["lpips_vgg"]})
    monkeypatch.setitem(sys.modules, "torchvision", None)
    pairs, store = read_pairs(samples)[""], FeatureStore(tmp_path / "store")
    found = clip_effects(pairs, asked, store=store, how=HOW) | perceptual_effects(
        pairs, instances, asked, store=store, how=HOW
    )
    assert set(found) == {"clip_score", "perceptual_lpips_vgg"}
    assert all(effect.p is None and effect.reason for effect in found.values())
    assert found["clip_score"].n == 10 and found["perceptual_lpips_vgg"].n == 8
    assert found["clip_score"].reason == "weights cannot be reached"
    assert clip_effects(pairs, MEASURE, store=store, how=HOW) == {}


def test_clip_scores_are_paired(samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_clip(tmp_path / "clip")
    find = partial(hub_weights, str(tmp_path / "clip"), "none")
    monkeypatch.setitem(EXTRACTORS, "clip", replace(EXTRACTORS["clip"], dimension=16, find=find))
    store = FeatureStore(tmp_path / "store")
    effect = clip_effects(read_pairs(samples)[""], CLIP, store=store, how=HOW)["clip_score"]
    for side in ("base", "tuned"):
        table = read_imagefolder(samples / side)
        images, groups = [load_image(path) for path in table["path"]], groups_of(table, 4)
        alone, _ = further_extractor_metrics(
            "clip",
            images=images,
            instance_images=images[:6],
            texts=list(table["text"]),
            groups={"": groups[""]},
            store=store,
        )
        assert getattr(effect, side) == pytest.approx(alone["clip"]["clip_score"], rel=1e-5)
    assert effect.better == "higher" and effect.win is not None and effect.loss is not None
    assert effect.win + effect.loss + (effect.tie or 0) == effect.n == 10
