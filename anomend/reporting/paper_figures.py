"""The paper's Figures 1 to 7 in words, each with this run's counterpart. The paper's pictures are not shown.

"Fine Tuning Text-to-Image Diffusion Models for Correcting Anomalous Images" (Yoo), Appendix A and B.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from anomend.reporting.formatting import metric_text
from anomend.reporting.inputs import JudgeExample, ReportInputs
from anomend.reporting.measures import measures_of
from anomend.reporting.pairs import AssessedImage, ImagePair, anomalous_pairs
from anomend.reporting.thumbnails import still_uri

PAPER = {
    1: ("Not Effective Train Data Example", "a picture that taught nothing: complex, with several people, or with the"
        " person small in it"),
    2: ("Effective Train Data Example", "a picture that taught: one person, large, before a less complex background"),
    3: ("Output Example From Stable Diffusion 3 Model", "the untuned model's image: the human form is very abnormal"),
    4: ("Output Example From Fine-tuned Model", "the tuned model's image: not distorted and like the training images,"
        " yet with too many fingers"),
    5: ("Chat GPT 4o Prompt Example", "a question to GPT-4o, which found the untuned model's images the more natural"
        " ones"),
    6: ("Claude 3.5 Sonet Prompt Example", "an answer of Claude 3.5 Sonnet, which also preferred the untuned model's"
        " image"),
    7: ("Training Loss Graph", "a loss that fluctuates a lot and shows no trend; success was judged by the images"),
}  # fmt: skip
"""Number -> its caption, and what it shows by the paper's text."""
VENDORS = {5: "openai", 6: "anthropic"}
"""Which judge of this run is shown next to a figure."""


@dataclass(frozen=True)
class Picture:
    """One picture of this run."""

    uri: str
    alt: str
    caption: str
    anomalous: bool = False


@dataclass(frozen=True, kw_only=True)
class PaperFigure:
    """A figure of the paper, and its counterpart in this run."""

    number: int
    caption: str
    shows: str
    here: str
    """The counterpart in words, or why there is none."""
    pictures: tuple[Picture, ...] = ()
    chart: str | None = None


def paper_figures(inputs: ReportInputs, loss: str | None) -> tuple[PaperFigure, ...]:
    """All seven, in their order; `loss` is the chart of this run's training loss, if there is one."""
    counterparts: dict[int, Counterpart] = {
        1: _rejected(inputs.curation),
        2: _kept(inputs.curation),
        **_outputs(inputs),
        **{number: _judged(inputs, number) for number in VENDORS},
        7: ("The loss of this run." if loss else "No training curve was recorded.", ()),
    }
    return tuple(
        PaperFigure(
            number=number,
            caption=caption,
            shows=shows,
            here=counterparts[number][0],
            pictures=counterparts[number][1],
            chart=loss if number == 7 else None,
        )
        for number, (caption, shows) in PAPER.items()
    )


Counterpart = tuple[str, tuple[Picture, ...]]


def _rejected(curation: pd.DataFrame | None) -> Counterpart:
    if curation is None or curation.empty:
        return "The training images of this run were not recorded.", ()
    rejected = curation[curation["kept"] == 0]
    if not rejected.empty:
        row = rejected.iloc[0]
        words = f"{len(rejected)} of {len(curation)} collected images were rejected. The first: {row['reasons']}."
        return words, (_training_image(row.to_dict(), "rejected"),)
    if curation["area"].isna().all():
        return f"None of the {len(curation)} collected images was rejected.", ()
    row = curation.sort_values("area", kind="stable").iloc[0]
    words = f"None of the {len(curation)} collected images was rejected. The one with the smallest person:"
    return words, (_training_image(row.to_dict(), "kept"),)


def _kept(curation: pd.DataFrame | None) -> Counterpart:
    kept = None if curation is None else curation[curation["kept"] == 1]
    if curation is None or kept is None or kept.empty:
        return "No training image was recorded.", ()
    words = f"The first of the {len(kept)} images that this run learned from:"
    return words, (_training_image(kept.iloc[0].to_dict(), "kept"),)


def _training_image(row: Mapping[Hashable, Any], outcome: str) -> Picture:
    findings = []
    if not pd.isna(row.get("persons")):
        findings.append(f"{int(row['persons'])} person{'' if row['persons'] == 1 else 's'}")
    for key, words in (("area", "{:.1%} of the picture"), ("background", "edges on {:.1%} of the background")):
        if not pd.isna(row.get(key)):
            findings.append(words.format(row[key]))
    caption = f"{row['file_name']}: {outcome}"
    if findings:
        caption += f"; {', '.join(findings)}"
    return Picture(still_uri(Path(row["path"])), f"training image {caption}", caption)


def _outputs(inputs: ReportInputs) -> dict[int, Counterpart]:
    target = dict(measures_of(inputs.compare)).get("anomaly_rate_target", {"reason": "not measured"})
    wrong, still_wrong = anomalous_pairs(inputs.pairs, "base"), anomalous_pairs(inputs.pairs, "tuned")
    rates = {model: metric_text(target, model, "rate") for model in ("base", "tuned")}
    base: Counterpart = (_none_wrong("base", inputs.images_base), ())
    tuned: Counterpart = (_none_wrong("tuned", inputs.images_tuned), ())
    if wrong:
        words = (
            f"The first anomalous image of {inputs.words.base_model} on a target prompt; {rates['base']} of them are."
        )
        base = (words, (_output(wrong[0], wrong[0].base, "base"),))
        words = f"At the same prompt and seed; {rates['tuned']} of {inputs.words.tuned_model}'s images are anomalous."
        tuned = (words, (_output(wrong[0], wrong[0].tuned, "tuned"),))
    if still_wrong and still_wrong[:1] != wrong[:1]:
        words = f"{tuned[0]} Then the first that still is." if wrong else "The first anomalous one:"
        tuned = (words, (*tuned[1], _output(still_wrong[0], still_wrong[0].tuned, "tuned")))
    return {3: base, 4: tuned}


def _none_wrong(model: str, images: pd.DataFrame) -> str:
    if images["anomalous"].isna().all():
        return f"No detector ran on the {model} model's images."
    return f"None of the {model} model's images on the target prompts is anomalous."


def _output(pair: ImagePair, image: AssessedImage, model: str) -> Picture:
    caption = f"{pair.prompt}, seed {pair.seed}: {image.finding}"
    return Picture(
        uri=still_uri(image.path), alt=f"{model} image of {caption}", caption=caption, anomalous=bool(image.anomalies)
    )


def _judged(inputs: ReportInputs, number: int) -> Counterpart:
    if not inputs.judge_examples:
        return "No judge was asked in this run.", ()
    name = VENDORS[number]
    examples: Sequence[JudgeExample] = inputs.judge_examples.get(name, ())
    preface = f"The first question to {name}."
    if not examples:
        # Another judge takes its place: the first order of a pair for OpenAI's figure, the second for Anthropic's.
        name, examples = next(iter(inputs.judge_examples.items()))
        examples = examples[number - min(VENDORS) :]
        which = "The same pair in the other order" if number > min(VENDORS) else "The first question"
        preface = f"{VENDORS[number]} was not asked in this run. {which}, to the judge '{name}':"
    if not examples:
        return f"{preface} It was not asked.", ()
    example = examples[0]
    letters = (("A", example.image_a), ("B", example.image_b))
    second = "tuned" if example.first == "base" else "base"
    models = {"A": example.first, "B": second}
    pictures = tuple(
        Picture(still_uri(image), f"image {letter} of the pair, drawn by the {models[letter]} model", f"{letter}")
        for letter, image in letters
    )
    hidden = f"(A is the {models['A']} model's, B the {models['B']} model's; the judge did not know.)"
    return f"{preface} {example.question} Answer: {example.answer} {hidden}", pictures
