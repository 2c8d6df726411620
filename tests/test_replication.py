"""The paper's tables from its published images; skipped where these are absent."""

import ast
import csv
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from replication import tables
from replication.images import ENVIRONMENT, PaperImages, find_folder, read_images
from replication.votes import table2
from stages.measures.features import get_extractor
from stages.measures.psnr import psnr_within, published_psnr_within
from stages.measures.ssim import ssim_within

ROOT = Path(__file__).resolve().parents[1]
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


def test_feature_distances_have_their_known_values(images: PaperImages) -> None:
    """Figures found beforehand by another implementation, to its digits."""
    found = tables.feature_figures(images, get_extractor("efficientnet_lite0"), 5, 0)
    kernel, frechet = found["kernel_efficientnet_lite0"], found["frechet_efficientnet_lite0"]
    assert (kernel["tuned"], kernel["base"]) == pytest.approx((0.139, 0.287), abs=5e-4)
    assert max(kernel["p_tuned"], kernel["p_base"]) < 5e-4
    assert (frechet["tuned"], frechet["base"]) == pytest.approx((219, 283), abs=0.5)
    assert "mostly bias" in frechet["warning"]


@pytest.mark.slow
def test_committed_figures_are_those_of_the_images(images: PaperImages) -> None:
    committed = json.loads((ROOT / "metrics" / "replication.json").read_text())
    found = tables.image_figures(images, seed=0)
    for part in ("reproduced", "corrected"):
        for measure, figures in found[part].items():
            for name in ("tuned", "base", "p"):
                expected = figures.get(name)
                close = expected if expected is None else pytest.approx(expected, abs=2e-6)
                assert committed[part][measure].get(name) == close, (part, measure, name)
    assert committed["provenance"]["images"]["sha256"] == images.sha256
    assert committed["published"] == tables.published(DATA / "table1.csv")
    assert committed["table2"] == table2(DATA / "table2.csv")


def test_table_2() -> None:
    figures = table2(DATA / "table2.csv")
    assert (figures["votes"], figures["votes_tuned"]) == (100, 94)
    # Prompt 2 is tied five to five, the other nine are won: p = 2 / 2^9.
    assert (figures["pairs_tuned"], figures["pairs_tied"], figures["pairs_base"]) == (9, 1, 0)
    assert figures["p_sign"] == pytest.approx(2 / 2**9, abs=1e-6)
    assert figures["left_choice_rate"] == figures["win_rate_tuned"] == 0.94
    # By pair: nine of ten 22 / 2^10, five of ten 1, ten of ten 2 / 2^10.
    assert [pair["p_sign"] for pair in figures["by_pair"].values()] == [0.021484, 1.0, *[0.001953] * 8]
    assert "cannot be told apart" in figures["confound"] and "cannot be told apart" in figures["caution"]


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
    assert "tuned/test_01.png is missing" in message and "replication/README.md" in message


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


def test_pipeline_lists_every_module_it_runs_and_is_tied_to_no_other() -> None:
    content = yaml.safe_load((ROOT / "replication" / "dvc.yaml").read_text())
    stage = content["stages"]["tables"]
    listed = [ROOT / path for path in stage["deps"]]
    assert all(path.exists() for path in listed)
    needed = set(_imported(ROOT / "replication" / "tables.py"))
    assert {path for path in needed if not any(path.is_relative_to(dep) for dep in listed)} == set()
    # An output that the root's report reads would make `dvc repro` at the root run this stage.
    assert not {"outs", "metrics", "plots"} & set(stage)
    assert content["metrics"] == ["../metrics/replication.json"]
    declared = [name for entry in stage["params"] for name in entry["replication/params.yaml"]]
    assert declared == list(yaml.safe_load((ROOT / "replication" / "params.yaml").read_text()))


def _imported(path: Path, seen: set[Path] | None = None) -> Iterator[Path]:
    """The project's own modules that a module imports, directly or not, itself included."""
    seen = set() if seen is None else seen
    if path in seen:
        return
    seen.add(path)
    yield path
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in ("stages", "replication"):
            base = ROOT.joinpath(*node.module.split("."))
            found = base / "__init__.py" if base.is_dir() else base.with_suffix(".py")
            yield from _imported(found, seen)
