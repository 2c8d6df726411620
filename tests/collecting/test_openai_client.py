"""The requests for images. Their keys find the images that users have paid for, so they must never change."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from anomend.collecting.image import OpenAISettings
from anomend.collecting.openai_client import ImageClient, ImageItem
from anomend.params.images import OpenAIParams
from anomend.params.types import RequestParams
from tests.conftest import ROOT
from tests.purchasing.settings import settings_for

FIRST = ImageItem(individual=0, prompt="lying on the grass", text="lying on the grass", context=None)
EDIT = replace(FIRST, text="sitting on a bench", context="sitting on a bench")


def client(tmp_path: Path, **changes: Any) -> ImageClient:
    values: dict[str, Any] = {
        "model": "gpt-image-2.5-sunburst",
        "size": "1024x1536",
        "quality": "high",
        "output_format": "png",
        "input_fidelity": "high",
        "people": ["an elderly man"],
        "contexts": ["sitting on a bench"],
        "individual_template": str(ROOT / "data" / "prompts" / "individual.txt"),
        "context_template": str(ROOT / "data" / "prompts" / "context.txt"),
        "requests": RequestParams(concurrency=1, timeout_s=1.0, attempts=1, first_wait_s=0.0),
    }
    images = OpenAIParams(**values | changes)
    return ImageClient(OpenAISettings(purchase=settings_for(images.model, tmp_path / "paid"), images=images))


def test_the_keys_of_paid_images_stay(tmp_path: Path) -> None:
    # Written down when images were first stored under such keys.
    first, edit = client(tmp_path).request(FIRST), client(tmp_path).request(EDIT, b"a reference")
    assert first.key == "30490979fd4648b594e3a40f5be4365fe5be1dfa8f458da0b9500950e0a1ccbe"
    assert edit.key == "6735682a10ce2049d9419d2380c2c6521d932de78ce56ab618a028a3506a2dd5"
    assert list(edit.attachments.values()) == [b"a reference"]
    # 300 tokens of text in and 6300 out, at $5 and $30 a million; of an edit, 6500 tokens of image in, at $8.
    assert (first.estimate_usd, edit.estimate_usd) == (pytest.approx(0.1905), pytest.approx(0.2425))


def test_a_template_saved_with_a_mark_or_in_utf16_asks_for_the_same_image(tmp_path: Path) -> None:
    text = (ROOT / "data" / "prompts" / "individual.txt").read_text(encoding="utf-8")
    for number, encoding in enumerate(("utf-8-sig", "utf-16")):
        mine = tmp_path / f"{number}.txt"
        mine.write_bytes(text.replace("\n", "\r\n").encode(encoding))
        assert client(tmp_path, individual_template=str(mine)).request(FIRST).key == client(tmp_path).request(FIRST).key
    mine.write_bytes("ein schönes {person}".encode("cp1252"))
    with pytest.raises(ValueError, match=r"1\.txt is not UTF-8: save it again in UTF-8"):
        client(tmp_path, individual_template=str(mine))


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{person} {colour}", r"braces that hold no placeholder: it may use \{person\} and \{prompt\}"),
        ("{prompt}", "does not use"),
        *(
            (f"{{person}} {{{part}}}", "braces that hold")
            for part in ("person.age", "prompt[0]", "prompt:>9", "context")
        ),
        ("{person} {", "braces that hold"),
    ],
)
def test_a_broken_template_is_named(tmp_path: Path, template: str, message: str) -> None:
    path = tmp_path / "mine.txt"
    with pytest.raises(ValueError, match=r"mine\.txt is missing"):
        client(tmp_path, individual_template=str(path))
    path.write_text(template)
    with pytest.raises(ValueError, match=message):
        client(tmp_path, individual_template=str(path))


@pytest.mark.parametrize("field", ["person", "prompt"])
def test_a_template_of_an_edit_that_names_what_an_edit_lacks_is_refused_before_anything_is_bought(
    tmp_path: Path, field: str
) -> None:
    path = tmp_path / "mine.txt"
    path.write_text(f"the same {{{field}}}, {{context}}")
    with pytest.raises(ValueError, match=r"mine\.txt has braces that hold no placeholder: it may use \{context\}$"):
        client(tmp_path, context_template=str(path))
