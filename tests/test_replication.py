"""The paper's tables from its published images; skipped where these are absent."""

import csv
import hashlib
import json
import math
import os
from collections.abc import Iterable
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from scipy.linalg import sqrtm
from scipy.stats import fisher_exact
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from anomend.detectors.detector import Detector
from anomend.detectors.observation import Observation
from anomend.detectors.photographs.detector import make_photographs, with_anomalies
from anomend.measuring.features import get_extractor
from anomend.measuring.psnr import psnr_within, published_psnr_within
from anomend.measuring.ssim import ssim_within
from anomend.statistics.unpaired import within_set_permutation_test
from studies.replication import tables
from studies.replication.fid import candidates, reproduced
from studies.replication.images import ENVIRONMENT, PaperImages, find_folder, read_images
from studies.replication.inception import inception_features
from studies.replication.page import explanation, page
from studies.replication.votes import table2
from tests.detectors.photographs import NETWORKS, needs_networks

ROOT = Path(__file__).resolve().parents[1]
AGAIN = "run `make replication`"
DATA = ROOT / "data" / "paper"


@pytest.fixture(scope="module")
def images() -> PaperImages:
    candidates = [os.environ.get(ENVIRONMENT), ROOT / "data" / "paper" / "images", ROOT.parent / "shared" / "paper"]
    for folder in (Path(candidate) for candidate in candidates if candidate):
        if (folder / "tuned").is_dir():
            return read_images(folder, DATA / "images.csv")
    pytest.skip(f"the paper's published images are absent: set {ENVIRONMENT} to their folder")


@pytest.fixture(scope="module")
def published() -> dict[str, dict[str, float]]:
    return tables.published(DATA / "table1.csv")


@pytest.mark.parametrize("model", ["tuned", "base"])
def test_table_1_to_the_last_digit(images: PaperImages, published: dict[str, dict[str, float]], model: str) -> None:
    pictures = getattr(images, model)
    ssim, psnr = ssim_within(pictures), published_psnr_within(pictures)
    assert ssim is not None and round(ssim, 4) == published["ssim"][model]
    assert psnr is not None and round(psnr, 4) == published["psnr"][model]


def test_done_properly_psnr_turns_around(images: PaperImages) -> None:
    tuned, base = psnr_within(images.tuned), psnr_within(images.base)
    assert tuned is not None and base is not None
    assert (round(tuned, 4), round(base, 4)) == (8.0395, 8.4720)


def test_feature_distances_have_their_known_values(images: PaperImages, published: dict[str, dict[str, float]]) -> None:
    """Figures found beforehand by another implementation, to its digits."""
    found = tables.feature_metrics(images, get_extractor("efficientnet_lite0"), 5, 0, published["fid"])
    kernel, frechet = found["kernel_efficientnet_lite0"], found["frechet_efficientnet_lite0"]
    assert (kernel["tuned"], kernel["base"]) == pytest.approx((0.139, 0.287), abs=5e-4)
    assert max(kernel["p_tuned"], kernel["p_base"]) < 5e-4
    assert (frechet["tuned"], frechet["base"]) == pytest.approx((219, 283), abs=0.5)
    assert "mostly bias" in frechet["warning"]


@pytest.mark.slow
def test_committed_metrics_are_those_of_the_images(images: PaperImages) -> None:
    committed = json.loads((ROOT / "metrics" / "replication.json").read_text())
    found = tables.image_metrics(images, seed=0)
    for part in ("reproduced", "corrected"):
        for measure, metrics in found[part].items():
            for name in ("tuned", "base", "delta", "ci_low", "ci_high", "p"):
                assert committed[part][measure][name] == pytest.approx(metrics[name], abs=2e-6), (part, measure, name)
    assert committed["provenance"]["images"]["sha256"] == images.sha256
    assert committed["published"] == tables.published(DATA / "table1.csv")
    assert committed["table2"] == table2(DATA / "table2.csv")


def psnr_by_hand(first: np.ndarray, second: np.ndarray) -> float:
    """The paper's formula, one channel at a time in integers: bytes wrap at 256, twice."""
    total = 0
    for channel in range(3):
        difference = (first[..., channel].astype(np.int64) - second[..., channel].astype(np.int64)) % 256
        total += int(((difference * difference) % 256).sum())
    return 10 * math.log10(255**2 / (total / (first.shape[0] * first.shape[1])))


@pytest.mark.slow
@pytest.mark.parametrize("rows", [(0, 13), (4, 9, 21), (2, 11, 12, 24)])
def test_any_subset_agrees_with_scikit_image_pair_by_pair(images: PaperImages, rows: tuple[int, ...]) -> None:
    """Sets that the paper never compared, across models and with instance images, so that nothing is fitted to its
    numbers."""
    everything = [*images.tuned, *images.base, *images.instance]
    chosen = [everything[row] for row in rows]
    similar, published_psnr, proper = [], [], []
    for first, second in combinations(chosen, 2):
        greys = [np.asarray(Image.fromarray(image).convert("L")) for image in (first, second)]
        similar.append(structural_similarity(*greys, data_range=255))
        published_psnr.append(psnr_by_hand(first, second))
        proper.append(peak_signal_noise_ratio(first, second, data_range=255))
    assert ssim_within(chosen) == pytest.approx(np.mean(similar), abs=1e-10)
    assert published_psnr_within(chosen) == pytest.approx(np.mean(published_psnr), abs=1e-10)
    assert psnr_within(chosen) == pytest.approx(np.mean(proper), abs=1e-10)


def test_p_of_published_images_by_listing_every_split(images: PaperImages) -> None:
    """Five tuned against five base images at a quarter of the side: 252 splits, by plain loops."""
    small = [image[::4, ::4] for image in (*images.base[:5], *images.tuned[:5])]
    values = {
        pair: peak_signal_noise_ratio(small[pair[0]], small[pair[1]], data_range=255)
        for pair in combinations(range(10), 2)
    }

    def mean(rows: Iterable[int]) -> float:
        return float(np.mean([values[pair] for pair in combinations(sorted(rows), 2)]))

    differences = [abs(mean(set(range(10)) - set(rows)) - mean(rows)) for rows in combinations(range(10), 5)]
    observed = abs(mean(range(5, 10)) - mean(range(5)))
    matrix = np.zeros((10, 10))
    for (first, second), value in values.items():
        matrix[first, second] = matrix[second, first] = value
    found = within_set_permutation_test(matrix, 5, seed=0)
    assert len(differences) == 252
    assert found.p == pytest.approx(np.mean(np.array(differences) >= observed - 1e-12))


def test_the_page_and_its_paragraph_agree_with_the_metrics() -> None:
    committed = json.loads((ROOT / "metrics" / "replication.json").read_text())
    assert committed["explanation"] == explanation(committed), AGAIN
    assert (ROOT / "studies" / "replication" / "figures.md").read_text() == page(committed), AGAIN


def test_the_paragraph_changes_with_the_metrics() -> None:
    metrics = json.loads((ROOT / "metrics" / "replication.json").read_text())
    before = " ".join(explanation(metrics))
    assert "come out to all four published digits" in before and "turns around" in before
    metrics["published"]["ssim"]["tuned"] = 0.5
    metrics["corrected"]["psnr"] |= {"delta": 0.3, "p": 0.001}
    metrics["reproduced"]["ssim"] |= {"tuned": 0.1, "base": 0.2}
    metrics["anatomy"] = {"rates": None, "confidence": None, "reason": "no detector ran", "note": ""}
    candidate = {"meaning": "mean over pairs", "tuned": 1.0, "base": 2.0, "ratio": 0.5, "matches": True}
    metrics["reproduced"]["fid"] = {"tuned": 1.0, "base": 2.0, "protocol": "x", "candidates": {"x": candidate}}
    after = " ".join(explanation(metrics))
    assert "the other does not" in after and "two stays, with a difference that is beyond chance (p = 0.0010)" in after
    assert "less alike than the base's" in after and "which is more variety" in after
    assert "FID is reproduced as the mean over pairs" in after and "not run: no detector ran" in after


def test_every_fid_protocol_by_plain_loops() -> None:
    rng = np.random.default_rng(0)
    features = {name: rng.normal(size=(n, 3)) for name, n in (("tuned", 4), ("base", 4), ("instance", 5))}
    nothing = {"tuned": 0.0, "base": 0.0}
    found = candidates(features, nothing)
    assert not any(metrics["matches"] for metrics in found.values())
    instance = features["instance"]
    for model in ("tuned", "base"):
        own = features[model]
        pairs = [sum((a - b) ** 2) for a, b in combinations(own, 2)]
        cross = [sum((a - b) ** 2) for a in own for b in instance]
        # Of one image the covariance is 0, and so is the root of its product.
        alone = [sum((a - instance.mean(axis=0)) ** 2) + np.trace(np.cov(instance.T)) for a in own]
        root = sqrtm(np.cov(own.T) @ np.cov(instance.T)).real
        sets = sum((own.mean(axis=0) - instance.mean(axis=0)) ** 2)
        sets += np.trace(np.cov(own.T) + np.cov(instance.T) - 2 * root)
        expected = {"within_pairs": np.mean(pairs), "pairs_to_instance": np.mean(cross)}
        expected |= {"image_to_instance": np.mean(alone), "to_instance": sets}
        assert {name: metrics[model] for name, metrics in found.items()} == pytest.approx(expected)


def test_the_protocol_that_gives_the_published_digits_is_the_reproduced_one() -> None:
    rng = np.random.default_rng(1)
    features = {name: rng.normal(size=(4, 6)) for name in ("tuned", "base", "instance")}
    truth = candidates(features, {"tuned": 0.0, "base": 0.0})["image_to_instance"]
    table = {model: round(truth[model], 4) for model in ("tuned", "base")}
    assert reproduced(candidates(features, table), "none")["protocol"] == "image_to_instance"
    half = reproduced(candidates(features, table | {"base": 9.0}), "none")
    assert half["tuned"] is None and half["reason"] == "none"
    absent = reproduced(candidates(None, table, "no weights"), "no weights")
    assert all(c["tuned"] is None and c["reason"] == "no weights" for c in absent["candidates"].values())


class TinyInception(torch.nn.Module):
    """The published network's way of being called."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(3, 8)

    def forward(self, pixels: torch.Tensor, return_features: bool = False) -> torch.Tensor:
        features = self.layer(pixels.to(torch.float32).mean(dim=(2, 3)) / 255)
        return features if return_features else features.sum(dim=1)


def test_inception_runs_from_its_pinned_file_alone(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = TinyInception()
    path = tmp_path / "inception.pt"
    torch.jit.script(network).save(str(path))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    pictures = [np.random.default_rng(n).integers(0, 256, (5 + n, 7, 3), dtype=np.uint8) for n in range(3)]
    means = torch.tensor(np.array([picture.mean(axis=(0, 1)) / 255 for picture in pictures]), dtype=torch.float32)
    expected = network.layer(means).detach().numpy()
    assert inception_features(pictures, path, sha256=digest) == pytest.approx(expected, abs=1e-5)
    with pytest.raises(ValueError, match="is not the published file"):
        inception_features(pictures, path)
    with pytest.raises(FileNotFoundError, match=r"inception-2015-12-05\.pt"):
        inception_features(pictures, tmp_path / "absent.pt")


def picture(persons: int, body: float, hands: float) -> np.ndarray:
    return np.full((2, 2, 3), [persons, round(100 * body), round(100 * hands)], dtype=np.uint8)


def read(image: np.ndarray) -> Observation:
    persons, body, hands = (int(value) for value in image[0, 0])
    region = np.ones((2, 2), dtype=bool)
    return with_anomalies(
        Observation(persons=persons, region=region, anatomy=body / 100, hands=hands / 100 if hands else None)
    )


def test_anatomy_is_compared_by_fishers_exact_test() -> None:
    sets = {
        "tuned": [picture(1, 0.9, 0.8)] * 9 + [picture(2, 0.9, 0.8)],
        "base": [picture(1, 0.7, 0.2)] * 5 + [picture(1, 0.3, 0)] * 5,
        "instance": [picture(1, 0.9, 0.9)] * 5,
    }
    found = tables.anatomy_metrics(sets, Detector(name="test", detect=read), seed=0, reason="")
    any_kind, hands, body = found["rates"]["any"], found["rates"]["unclear_hands"], found["rates"]["unclear_body"]
    assert (any_kind["tuned"], any_kind["base"], any_kind["instance"]) == (0.1, 1.0, 0.0)
    assert any_kind["p"] == pytest.approx(fisher_exact([[1, 9], [10, 0]]).pvalue)
    assert hands["p"] == body["p"] == pytest.approx(fisher_exact([[0, 10], [5, 5]]).pvalue)
    assert found["confidence"]["hands"]["n_base"] == 5  # where no hand is to be expected, none counts
    assert found["confidence"]["body"]["tuned"] == pytest.approx(0.9)
    assert all(row["p_holm"] >= row["p"] for part in ("rates", "confidence") for row in found[part].values())
    absent = tables.anatomy_metrics(sets, None, seed=0, reason="no networks")
    assert absent["rates"] is None and absent["reason"] == "no networks"


@needs_networks
@pytest.mark.slow
def test_committed_anatomy_is_what_the_networks_see(images: PaperImages) -> None:
    anomalies = make_photographs(NETWORKS).anomalies([images.base[0], images.base[3]])
    assert anomalies == [(), ("unclear_hands",)]
    committed = json.loads((ROOT / "metrics" / "replication.json").read_text())["anatomy"]
    assert committed["rates"]["unclear_hands"]["base"] > 0 and "not whether these are right" in committed["note"]


def test_table_2() -> None:
    metrics = table2(DATA / "table2.csv")
    assert (metrics["votes"], metrics["votes_tuned"]) == (100, 94)
    # Prompt 2 is tied five to five, the other nine are won: p = 2 / 2^9.
    assert (metrics["pairs_tuned"], metrics["pairs_tied"], metrics["pairs_base"]) == (9, 1, 0)
    assert metrics["p_sign"] == pytest.approx(2 / 2**9, abs=1e-6)
    assert metrics["left_choice_rate"] == metrics["win_rate_tuned"] == 0.94
    # By pair: nine of ten 22 / 2^10, five of ten 1, ten of ten 2 / 2^10.
    assert [pair["p_sign"] for pair in metrics["by_pair"].values()] == [0.021484, 1.0, *[0.001953] * 8]
    assert "cannot be told apart" in metrics["confound"] and "cannot be told apart" in metrics["caution"]


def test_bad_votes_are_named(tmp_path: Path) -> None:
    votes = (DATA / "table2.csv").read_text()
    (tmp_path / "a.csv").write_text(votes.replace("right", "centre", 1))
    with pytest.raises(ValueError, match="left and right"):
        table2(tmp_path / "a.csv")
    (tmp_path / "b.csv").write_text(votes.rsplit("\n", 2)[0] + "\n")
    with pytest.raises(ValueError, match="one vote"):
        table2(tmp_path / "b.csv")


def test_absent_images_are_one_sentence_and_exit_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(ENVIRONMENT, str(tmp_path))
    assert tables.main() == 1
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert "tuned/test_01.png is missing" in message and "studies/replication/README.md" in message


def test_other_images_are_refused(tmp_path: Path) -> None:
    with (DATA / "images.csv").open() as file:
        first = next(csv.DictReader(file))
    (tmp_path / first["set"]).mkdir()
    (tmp_path / first["set"] / first["file_name"]).write_bytes(b"another picture")
    with pytest.raises(ValueError, match="not the published file"):
        read_images(tmp_path, DATA / "images.csv")


def test_the_environment_goes_before_the_parameter() -> None:
    assert find_folder({ENVIRONMENT: "there"}, Path("here")) == Path("there")
    assert find_folder({ENVIRONMENT: ""}, Path("here")) == find_folder({}, Path("here")) == Path("here")


def test_the_pipeline_depends_on_its_code_and_is_not_tied_to_another() -> None:
    content = yaml.safe_load((ROOT / "studies" / "replication" / "dvc.yaml").read_text())
    stage, code = content["stages"]["tables"], content["stages"]["code"]
    assert all((ROOT / "studies" / "replication" / path).exists() for path in stage["deps"])
    # Fingerprints of the closure, made each time.
    assert code["always_changed"] and code["cmd"].split()[-1] == "studies.replication.tables"
    assert {"resolved/code.json": ["tables"]} in stage["params"]
    # An output that the root's report reads would make `dvc repro` at the root run this stage.
    assert not {"outs", "metrics", "plots"} & set(stage)
    declared = next(entry for entry in stage["params"])["params.yaml"]
    assert declared == list(yaml.safe_load((ROOT / "studies" / "replication" / "params.yaml").read_text()))
