"""All measures on one set of samples: the same keys for both models, and a reason for every null."""

from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from anomend.collecting.drawn_people import collect_drawn_people
from anomend.measuring.clip_score import text_embeddings
from anomend.measuring.diversity import cosine_similarity
from anomend.measuring.feature_store import FeatureStore
from anomend.measuring.features import EXTRACTORS, FeatureExtractor
from anomend.measuring.group_metrics import Group, copy_metrics, feature_metrics, groups_of, suffixed
from anomend.measuring.network_metrics import further_extractor_metrics, perceptual_network_metrics
from anomend.measuring.networks import hub_weights
from anomend.params.evaluation import MeasureParams
from anomend.params.resolved import load_params
from anomend.pictures.image_sets import ImageFolderWriter
from anomend.project.seeding import numpy_generator
from stages import compare, measure, verdict
from tests.measuring.test_clip_score import save_clip
from tests.parameters import values_in_force, write_params

PERCEPTUAL_NETWORKS = ["efficientnet_lite0", "lpips_alex"]
SETTINGS = MeasureParams(detector="drawn_people", extractor="efficientnet_lite0", within_set_images=4, batch_size=8)


def metrics_of(instances: int) -> dict[str, object]:
    rng = numpy_generator("measure stage", instances)
    table = pd.DataFrame({"group": ["target"] * 8, "prompt": ["a", "b"] * 4, "seed": range(8)})
    features = [rng.random((count, 16)).astype(np.float32) for count in (8, instances)]
    return feature_metrics(
        features=features[0], instances=features[1], group=groups_of(table, 4)[""], extractor="efficientnet_lite0"
    )


def test_one_instance_image_has_no_distance_between_sets_and_says_so() -> None:
    one, many = metrics_of(1), metrics_of(5)
    assert one["frechet_efficientnet_lite0"] is None and one["kernel_efficientnet_lite0"] is None
    assert "two or more" in str(one["reason"])
    assert isinstance(one["nearest_instance_similarity"], float) and isinstance(one["diversity"], float)
    assert isinstance(many["kernel_efficientnet_lite0"], float) and "reason" not in many


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with eight samples and seven instance images, and the parameters of the project."""
    monkeypatch.chdir(tmp_path)
    groups = {"target": ["lying on the grass", "lying on the street"], "held_out": ["standing on the grass"]}
    for folder, count in (("samples/base", 3), ("samples/tuned", 3), ("instance", 7)):
        writer = ImageFolderWriter(tmp_path / "data" / folder)
        for group, prompts in groups.items() if count == 3 else {"target": ["lying on the grass"]}.items():
            for prompt in prompts:
                for image in collect_drawn_people([prompt], count, seed=len(folder)):
                    writer.add(
                        f"{len(writer.rows)}.png",
                        image.image,
                        text=prompt,
                        prompt=prompt,
                        group=group,
                        seed=len(writer.rows),
                    )
        writer.close()
    parameters = values_in_force()
    parameters["measure"] |= {"further_extractors": ["inception", "dinov2", "clip"], "perceptual": PERCEPTUAL_NETWORKS}
    write_params(tmp_path, parameters)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setitem(sys.modules, "torchvision", None)
    return tmp_path


@pytest.mark.slow
def test_both_models_have_the_same_keys_and_every_null_a_reason(project: Path) -> None:
    for model in ("base", "tuned"):
        measure.main(model)
    base, tuned = (
        json.loads((project / "metrics" / f"measure_{model}.json").read_text()) for model in ("base", "tuned")
    )
    base, tuned = ({key: value for key, value in found.items() if "warning" not in key} for found in (base, tuned))
    assert list(base) == list(tuned)
    for name in ("inception", "dinov2", "clip", "perceptual_lpips_alex"):
        for suffix in ("", "_held_out"):
            reason = base[name + suffix].pop("reason")
            assert ("pip install" in reason or "cannot be reached" in reason) and set(base[name + suffix].values()) == {
                None
            }
    assert "fid" in base["inception"] and {"cmmd", "clip_score"} <= set(base["clip_held_out"])
    for suffix in ("", "_held_out"):
        assert base[f"perceptual_efficientnet_lite0{suffix}"]["within_set"] > 0
        manifold = base[f"manifold_efficientnet_lite0{suffix}"]
        if suffix:  # Three held-out samples are too few for three neighbours.
            assert manifold["precision"] is None and "more than 3" in manifold["reason"]
        else:
            assert 0 <= manifold["precision"] <= 1 and 0 < manifold["coverage"] <= 1
        for name in ("diversity", "vendi_score", "ssim_within", "frechet_efficientnet_lite0", "copy_rate"):
            assert isinstance(base[name + suffix], float)
    assert base["diversity"] != base["diversity_held_out"]
    provenance = base["provenance"]
    assert len(provenance["perceptual"]["efficientnet_lite0"]["weights_sha256"]) == 64
    assert "torchvision" in provenance["perceptual"]["lpips_alex"]["reason"]
    assert set(provenance["further_extractors"]) == {"inception", "dinov2", "clip"}


@pytest.mark.slow
def test_a_run_without_a_detector_goes_on_to_its_verdict(project: Path) -> None:
    parameters = load_params(project).model_dump(mode="json")
    parameters["measure"] |= {"detector": "none", "further_extractors": [], "perceptual": []}
    parameters["compare"] |= {"resamples": 100}
    parameters["judge"] |= {"judges": []}
    write_params(project, parameters)
    for model in ("base", "tuned"):
        measure.main(model)
    one_look: dict[str, object] = {"looks": 1, "look": 1, "images": 18, "images_planned": 18, "earlier": []}
    for name, content in {"looks": one_look, "people": {}, "survey": {}, "sample_tuned": {}}.items():
        (project / "metrics" / f"{name}.json").write_text(json.dumps(content))
    compare.main()
    verdict.main()
    compared, decided = (
        json.loads((project / "metrics" / f"{name}.json").read_text()) for name in ("compare", "verdict")
    )
    assert compared["anomaly_rate_target"]["n"] == 6 and "no detector ran" in compared["anomaly_rate_target"]["reason"]
    assert isinstance(compared["kernel_efficientnet_lite0"]["ci_low"], float)
    assert decided["clauses"]["target_drop"]["passed"] is None and decided["verdict"] != "corrected"


@pytest.mark.slow
def test_a_second_run_on_the_same_images_does_no_feature_work(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measure.main("base")
    first = (project / "metrics" / "measure_base.json").read_bytes()
    stored = (project / "data" / "features" / "base" / "features.safetensors").read_bytes()
    monkeypatch.setattr(FeatureExtractor, "_forward", lambda *_: pytest.fail("an image was measured again"))
    measure.main("base")
    assert (project / "metrics" / "measure_base.json").read_bytes() == first
    assert (project / "data" / "features" / "base" / "features.safetensors").read_bytes() == stored


def test_clip_that_is_here_measures_both_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_clip(tmp_path / "clip")
    find = partial(hub_weights, str(tmp_path / "clip"), "none")
    small = replace(EXTRACTORS["clip"], dimension=16, find=find)
    monkeypatch.setitem(EXTRACTORS, "clip", small)
    drawn = [image.image for image in collect_drawn_people(["lying on the grass"], 24, seed=1)]
    texts = ["lying on the grass"] * 8 + ["standing on the beach"] * 8
    groups = {"": Group(range(8), {"a": range(8)}), "_held_out": Group(range(8, 16), {"b": range(8, 16)})}
    found, provenance = further_extractor_metrics(
        "clip", images=drawn[:16], instance_images=drawn[16:], texts=texts, groups=groups, store=FeatureStore(tmp_path)
    )
    features = small.extract(drawn[:16])
    weights = tmp_path / "clip" / "model.safetensors"
    for key, rows in (("clip", range(8)), ("clip_held_out", range(8, 16))):
        assert "reason" not in found[key] and None not in found[key].values()
        words = text_embeddings([texts[row] for row in rows], weights)
        cosines = [float(cosine_similarity(features[[row]], words[[row % 8]])[0, 0]) for row in rows]
        assert found[key]["clip_score"] == pytest.approx(
            np.mean([2.5 * max(cosine, 0) for cosine in cosines]), rel=1e-4
        )
    assert found["clip"] != found["clip_held_out"]
    assert provenance["weights_sha256"] == hashlib.sha256(weights.read_bytes()).hexdigest()


def test_groups_by_hand() -> None:
    table = pd.DataFrame(
        {
            "group": ["held_out", "target", "target", "target", "target"],
            "prompt": ["c", "b", "a", "a", "a"],
            "seed": [0, 5, 9, 3, 7],
        }
    )
    groups = groups_of(table, 2)
    assert groups == {"": Group([1, 2, 3, 4], {"a": [3, 4], "b": [1]}), "_held_out": Group([0], {"c": [0]})}


def test_each_copy_detector_says_how_often_it_would_be_wrong() -> None:
    """Of 8 training images two are there twice: held out, these four are taken for copies. By features, which are all
    different here, it is the nearest pair."""
    drawn = [image.image for image in collect_drawn_people(["lying on the grass"], 7, seed=2)]
    features = numpy_generator("copies").normal(size=(9, 6)).astype(np.float32)
    found = copy_metrics(
        images=drawn[6:], instance_images=[*drawn[:6], *drawn[:2]], features=features[:1], instances=features[1:]
    )
    assert (found["copy_false_alarms_structure"], found["copy_false_alarms_features"]) == (4 / 8, 2 / 8)
    assert "copy_false_alarms_reason" not in found
    alone = copy_metrics(images=drawn[6:], instance_images=drawn[:6], features=features[:1], instances=features[1:7])
    assert alone["copy_false_alarms_structure"] == 0
    few = copy_metrics(
        images=drawn[6:],
        instance_images=drawn[:2],
        features=np.eye(2, dtype=np.float32)[:1],
        instances=np.eye(2, dtype=np.float32),
    )
    assert few["copy_false_alarms_structure"] is None and few["copy_false_alarms_features"] is None
    assert "at least 3" in few["copy_false_alarms_reason"] and few["copy_rate"] == 0


@pytest.mark.parametrize("batch_size", [1, 3])
def test_perceptual_networks_see_no_more_images_at_a_time_than_asked(
    batch_size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes: list[int] = []
    real = FeatureExtractor._forward

    def counted(self: FeatureExtractor, prepared: list[np.ndarray], device: str) -> np.ndarray:
        passes.append(len(prepared))
        return real(self, prepared, device)

    monkeypatch.setattr(FeatureExtractor, "_forward", counted)
    drawn = [image.image for image in collect_drawn_people(["lying on the grass"], 5, seed=3)]
    groups = {"": Group(range(4), {"a": range(4)})}
    perceptual_network_metrics(
        "efficientnet_lite0",
        images=drawn[:4],
        instance_images=drawn[4:],
        groups=groups,
        store=FeatureStore(tmp_path),
        batch_size=batch_size,
    )
    assert max(passes) == batch_size and sum(passes) == 5


def test_notes_keep_their_ending() -> None:
    held_out = [suffixed(name, "_held_out") for name in ("diversity", "reason", "frechet_warning")]
    assert held_out == ["diversity_held_out", "held_out_reason", "frechet_held_out_warning"]
    assert [suffixed(name, "") for name in ("reason", "frechet_warning")] == ["reason", "frechet_warning"]


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("further_extractors", ["clip", "clip"], "clip"),
        ("further_extractors", ["efficientnet_lite0"], "measured anyway"),
        ("perceptual", ["lpips_vgg", "lpips_vgg"], "list it once"),
        ("perceptual", ["lpips"], "lpips_alex"),
    ],
)
def test_a_mistaken_list_of_networks_is_refused(key: str, value: list[str], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        MeasureParams.model_validate(SETTINGS.model_dump() | {key: value})
