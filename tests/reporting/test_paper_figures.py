"""The paper's seven figures, each with the counterpart that its text describes."""

from __future__ import annotations

import base64
import io
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from anomend.reporting.inputs import JudgeExample, ReportInputs
from anomend.reporting.paper_figures import PaperFigure, Picture, paper_figures


def by_number(inputs: ReportInputs, loss: str | None = "<svg/>") -> dict[int, PaperFigure]:
    return {figure.number: figure for figure in paper_figures(inputs, loss)}


def pixels(picture: Picture) -> NDArray[np.uint8]:
    """The picture at its own size; the page shows it enlarged by a whole factor."""
    image = Image.open(io.BytesIO(base64.b64decode(picture.uri.split(",")[1])))
    return np.asarray(image.convert("RGB"))[:: image.height // 64, :: image.width // 64]


def file_of(inputs: ReportInputs, model: str, prompt: str, seed: int) -> NDArray[np.uint8]:
    table = {"base": inputs.samples_base, "tuned": inputs.samples_tuned}[model]
    row = table[(table["prompt"] == prompt) & (table["seed"] == seed)].iloc[0]
    return np.asarray(Image.open(row["path"]).convert("RGB"))


def test_all_seven_are_there_in_words_and_pictures(complete: ReportInputs) -> None:
    figures = by_number(complete)
    assert list(figures) == [1, 2, 3, 4, 5, 6, 7]
    assert [len(figure.pictures) for figure in figures.values()] == [1, 1, 1, 1, 2, 2, 0]
    assert figures[7].chart == "<svg/>" and all(figure.shows and figure.here for figure in figures.values())
    assert all(picture.alt for figure in figures.values() for picture in figure.pictures)


def test_training_images_that_were_rejected_and_kept(complete: ReportInputs) -> None:
    figures = by_number(complete)
    assert figures[1].here == "1 of 10 collected images were rejected. The first: two persons."
    assert "rejected; 1 person, 10.0% of the picture" in figures[1].pictures[0].caption
    assert "kept; 1 person, 11.0% of the picture" in figures[2].pictures[0].caption
    assert complete.curation is not None
    figures = by_number(replace(complete, curation=complete.curation.assign(kept=1)))
    assert figures[1].here.startswith("None of the 10 collected images was rejected. The one with the smallest")
    assert "10.0% of the picture" in figures[1].pictures[0].caption


def test_outputs_are_the_first_anomalous_ones_and_their_twins(complete: ReportInputs) -> None:
    figures = by_number(complete)
    prompt = "lying on the grass"
    # Planted: base at the seeds 0 to 3, tuned at seed 0.
    np.testing.assert_array_equal(pixels(figures[3].pictures[0]), file_of(complete, "base", prompt, 0))
    (twin,) = figures[4].pictures
    np.testing.assert_array_equal(pixels(twin), file_of(complete, "tuned", prompt, 0))
    assert figures[3].pictures[0].anomalous and twin.anomalous
    assert "80.0%" in figures[3].here and "20.0%" in figures[4].here
    images = complete.images_tuned
    third = (images["prompt"] == prompt) & (images["seed"] == 3)
    later = replace(complete, images_tuned=images.assign(anomalous=third.astype(int), anomalies=float("nan")))
    twin, remaining = by_number(later)[4].pictures
    assert not twin.anomalous and remaining.anomalous and "Then the first that still is." in by_number(later)[4].here
    np.testing.assert_array_equal(pixels(remaining), file_of(complete, "tuned", prompt, 3))
    clean = replace(complete, images_base=complete.images_base.assign(anomalous=0, anomalies=float("nan")))
    assert by_number(clean)[3].here.startswith("None of the base model's images")
    assert len(by_number(clean)[4].pictures) == 1


def test_judges_are_next_to_their_figure_or_another_takes_the_place(complete: ReportInputs) -> None:
    figures = by_number(complete)
    assert "openai was not asked in this run. The first question, to the judge 'anatomy'" in figures[5].here
    assert "The same pair in the other order" in figures[6].here
    a, b = (pixels(picture) for picture in figures[5].pictures)
    swapped_a, swapped_b = (pixels(picture) for picture in figures[6].pictures)
    np.testing.assert_array_equal(a, swapped_b)
    np.testing.assert_array_equal(b, swapped_a)
    assert "A is the base model's" in figures[5].here and "A is the tuned model's" in figures[6].here
    example = JudgeExample(
        prompt="p",
        seed=1,
        image_a=a,
        image_b=b,
        first="base",
        question="Which one is better?",
        answer="B (its arms).",
    )
    asked = by_number(replace(complete, judge_examples={"openai": [example], **complete.judge_examples}))
    assert asked[5].here.startswith("The first question to openai. Which one is better? Answer: B (its arms).")


def test_a_bare_run_says_what_it_lacks(inputs: ReportInputs) -> None:
    figures = by_number(inputs, loss=None)
    assert figures[5].here == figures[6].here == "No judge was asked in this run."
    assert figures[7].here == "No training curve was recorded." and figures[7].chart is None
    assert "not recorded" in figures[1].here
