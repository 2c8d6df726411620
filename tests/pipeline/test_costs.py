"""Hours from records of this machine, and from published seconds, worked out by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from anomend.diffusion.bases import BASE_MODELS
from anomend.params.params import Params
from anomend.params.profiles import merge
from anomend.params.resolved import split
from anomend.pipeline.costs import Duration, duration, read_published, read_records
from anomend.pipeline.work import work_of
from anomend.project.metric_files import write_cost
from anomend.project.paths import COSTS, RESOLVED, RUN_SETTINGS
from anomend.project.timing import WorkDone
from tests.conftest import ROOT
from tests.parameters import params_of, user_params

PUBLISHED = read_published(ROOT / COSTS)


def of(profile: str = "mini", **changes: dict[str, Any]) -> Params:
    return params_of(merge(user_params() | {"profile": profile}, changes))


@pytest.fixture
def records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Writes a record of a stage with 10 s beside its work, in the folder that is returned."""
    monkeypatch.chdir(tmp_path)

    def write(name: str, params: Params, **work: WorkDone) -> Path:
        results, run = split(params)
        write_cost(
            name,
            seconds=10 + sum(done.seconds for done in work.values()),
            work=work,
            parameters={RESOLVED.name: results, RUN_SETTINGS.name: run},
        )
        return tmp_path / "metrics" / "resources"

    return write


def time_of(stage: str, params: Params, folder: Path) -> Duration:
    return duration(work_of(params)[stage], params, records=read_records(folder), published=PUBLISHED)


def test_a_record_tells_the_time_of_another_number_of_images(records: Any) -> None:
    # A quarter of a second per model evaluation.
    folder = records("sample_base", of(), sampling=WorkDone(400, 100.0))
    fewer = of(sample={"target_seeds_per_prompt": 3, "held_out_seeds_per_prompt": 1, "steps": 7, "batch_size": 1})
    found = time_of("sample_base", fewer, folder)
    assert found.seconds == {"here": pytest.approx(10 + (2 * 3 + 6 + 1) * 7 * 2 / 4)}
    assert found.source == "sample_base, run here on cpu"
    # The same model also draws class images.
    assert time_of("class_images", fewer, folder).seconds["here"] == pytest.approx(10 + 160 * 14 / 4)


def test_training_adds_its_steps_and_what_is_sampled_meanwhile(records: Any) -> None:
    folder = records("train", of(), training=WorkDone(100, 50.0), adapted=WorkDone(100, 20.0))
    expected = 10 + 3600 * 0.5 + (196 * 40 + 6 * 64) * 0.2
    assert time_of("train", of(), folder).seconds == {"here": pytest.approx(expected)}


@pytest.mark.parametrize(
    "changes",
    [
        {"base": {"resolution": 128}},
        {"base": {"dtype": "bfloat16"}},
        {"base": {"local_folder": "elsewhere"}},
        {"base": {"device": "cuda"}},
    ],
)
def test_a_record_of_something_else_tells_nothing(records: Any, changes: dict[str, Any]) -> None:
    folder = records("sample_base", of(), sampling=WorkDone(400, 100.0))
    found = time_of("sample_base", of(**changes), folder)
    assert found.seconds == {} and found.source == "not known: TRIAL=1 would tell"


def test_training_in_another_way_needs_its_own_record(records: Any) -> None:
    folder = records("train", of(), training=WorkDone(100, 50.0), adapted=WorkDone(100, 20.0))
    assert time_of("train", of(train={"gradient_checkpointing": True}), folder).seconds == {}
    assert time_of("train", of(train={"learning_rate": 1e-4}), folder).seconds


def test_the_record_with_the_most_work_counts_and_a_trial_where_no_stage_has_run(records: Any) -> None:
    folder = records("trial", of(), sampling=WorkDone(1000, 1000.0))
    assert time_of("sample_base", of(), folder).source == "a trial, run here on cpu"
    records("class_images", of(), sampling=WorkDone(100, 200.0))
    assert time_of("sample_base", of(), folder).seconds["here"] == pytest.approx(10 + 2 * 35200)
    records("sample_base", of(), sampling=WorkDone(101, 30.0, "NVIDIA L4"))
    assert time_of("sample_base", of(), folder).source == "sample_base, run here on NVIDIA L4"


def test_measuring_is_told_from_the_same_device(records: Any) -> None:
    folder = records("measure_base", of(), measuring=WorkDone(768, 76.8))
    assert time_of("measure@tuned", of(), folder).seconds["here"] == pytest.approx(10 + 88.0)
    on_gpu = of(base={"device": "cuda"})
    assert not time_of("measure@tuned", on_gpu, folder).seconds


def test_broken_and_earlier_records_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{")
    (tmp_path / "b.json").write_text(json.dumps({"seconds": 3.0, "machine": "x86_64"}))
    assert read_records(tmp_path) == read_records(tmp_path / "nowhere") == []


def test_published_seconds_of_stable_diffusion_3_5_medium(tmp_path: Path) -> None:
    """H100: .529 s per step of 3 images without recomputation, .721 s with it, for 2.5 billion parameters."""
    found = time_of("train", of("sd35-medium"), tmp_path)
    adapted = 84 * 80 + 10 * 64
    assert found.seconds["H100"] == pytest.approx(8000 * 0.721 / 3 + adapted * 0.529 / 3 / 2)
    assert found.seconds["L40S"] == pytest.approx(8000 * 1.607 / 3 + adapted * 1.189 / 3 / 2)
    assert "docs/costs.md" in found.source
    # 8 billion parameters, and a quarter of the pixels.
    small = of("sd35-large", base={"resolution": 512})
    images = 704 * 28 * 2
    assert time_of("sample_base", small, tmp_path).seconds["H100"] == pytest.approx(
        images * 0.529 / 3 / 2 * 8 / 2.5 / 4
    )


def test_a_bases_own_published_seconds_count_at_as_many_pixels_or_fewer(tmp_path: Path) -> None:
    """Qwen-Image, H100: 1.202 s for an image with recomputation, which is three passes; others were out of memory."""
    pinned = {"base": {"revision": "a" * 40, "quantise": "none"}}
    qwen = of("qwen-image", **pinned)
    drawn, trained = work_of(qwen)["sample_base"].sampling, work_of(qwen)["train"]
    found = time_of("sample_base", qwen, tmp_path)
    assert found.seconds == {"H100": pytest.approx(drawn * 1.202 / 3), "L40S": pytest.approx(drawn * 3.377 / 3)}
    assert found.source == "published speeds, docs/costs.md"
    expected = trained.training * 1.202 + trained.adapted * 1.202 / 3
    assert time_of("train", qwen, tmp_path).seconds["H100"] == pytest.approx(expected)
    small = of("qwen-image", base={**pinned["base"], "resolution": 512})
    assert time_of("sample_base", small, tmp_path).seconds["H100"] == pytest.approx(drawn * 1.202 / 3 / 4)
    whole = of("qwen-image", **pinned, train={"gradient_checkpointing": False})
    assert time_of("train", whole, tmp_path).seconds == {}
    # Chroma was timed at 512 pixels, which is its profile's size: .454 s without recomputation.
    chroma = of("chroma", **pinned)
    drawn = work_of(chroma)["sample_base"].sampling
    assert time_of("sample_base", chroma, tmp_path).seconds["H100"] == pytest.approx(drawn * 0.454 / 2)


@pytest.mark.parametrize(("profile", "billions"), [("z-image", 6.2), ("flux2-klein", 3.9)])
def test_others_are_scaled_and_the_source_says_so(tmp_path: Path, profile: str, billions: float) -> None:
    """Z-Image was timed with a quarter of its profile's pixels, FLUX.2 [klein] not at all."""
    params = of(profile, base={"revision": "a" * 40})
    found = time_of("sample_base", params, tmp_path)
    drawn = work_of(params)["sample_base"].sampling
    assert found.seconds["H100"] == pytest.approx(drawn * 0.529 / 3 / 2 * billions / 2.5)
    assert found.source == "published speeds of sd3.5-medium, scaled, docs/costs.md"


def test_what_nobody_published_is_not_known(tmp_path: Path) -> None:
    assert time_of("sample_base", of(), tmp_path).source == "not known: TRIAL=1 would tell"
    assert time_of("encode", of("sd35-medium"), tmp_path).source == "not known: TRIAL=1 would tell"
    assert time_of("measure@base", of("sd35-medium"), tmp_path).source == "not known: TRIAL=1 would tell"


def test_the_page_quotes_the_table() -> None:
    page = (ROOT / "docs" / "costs.md").read_text()
    words = {True: "every layer", False: "none"}
    for row, line in zip(PUBLISHED, (ROOT / COSTS).read_text().splitlines()[1:], strict=True):
        seconds, memory, source = line.split(",")[8:]
        assert source in page
        size = f"{row.base} | {row.resolution} | {row.batch_size}"
        quoted = f"| {size} | {row.card} | {words[row.gradient_checkpointing]} | {seconds} | {memory} |"
        assert quoted in page, quoted
        assert row.parameters_billion == pytest.approx(BASE_MODELS[row.base].billions, rel=0.01)


def test_a_broken_table_is_one_sentence(tmp_path: Path) -> None:
    table, lines = tmp_path / "costs.csv", COSTS.read_text(encoding="utf-8").splitlines()
    with pytest.raises(ValueError, match=r"costs\.csv is missing: restore it from git"):
        read_published(table)
    table.write_text("card,base\nH100,x\n")
    with pytest.raises(ValueError, match=r"costs\.csv has no column 'parameters_billion': its first line is card,base"):
        read_published(table)
    table.write_text("\n".join([lines[0], lines[1].replace(",1024,", ",1024 px,")]))
    with pytest.raises(ValueError, match=r"line 2 of .*costs\.csv has resolution = '1024 px': write a plain number"):
        read_published(table)


def test_a_table_of_speeds_saved_by_a_spreadsheet_is_read(tmp_path: Path) -> None:
    table = tmp_path / "costs.csv"
    table.write_text(
        (ROOT / COSTS).read_text(encoding="utf-8").replace(",", ";").replace("true", "TRUE"), encoding="utf-16"
    )
    assert read_published(table) == PUBLISHED
