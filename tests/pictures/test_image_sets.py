"""Image sets go round trip, and what is broken is named."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anomend.pictures.image_sets import METADATA, ImageFolderWriter, load_image, read_imagefolder
from anomend.project.slugs import slug


def _write(folder: Path, text: str = "lying on the grass") -> None:
    writer = ImageFolderWriter(folder)
    writer.add("0.png", np.arange(48, dtype=np.uint8).reshape(4, 4, 3), text=text, seed=3)
    writer.close()


def test_an_image_set_goes_round_trip(tmp_path: Path) -> None:
    _write(tmp_path, "lying on\u2028the grass")
    table = read_imagefolder(tmp_path)
    assert table.loc[0, ["text", "seed"]].tolist() == ["lying on\u2028the grass", 3]
    assert np.array_equal(load_image(table["path"][0]), np.arange(48, dtype=np.uint8).reshape(4, 4, 3))


def test_a_truncated_image_is_named(tmp_path: Path) -> None:
    _write(tmp_path)
    path = tmp_path / "0.png"
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(ValueError, match=r"0\.png cannot be read as an image"):
        load_image(path)


def test_sixteen_bits_keep_their_shades_and_are_not_made_white(tmp_path: Path) -> None:
    path = tmp_path / "0.png"
    deep = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8)
    Image.fromarray(deep).save(path)
    assert np.array_equal(load_image(path), (deep // 256).astype(np.uint8)[..., None].repeat(3, axis=2))


def test_a_large_image_keeps_its_size(tmp_path: Path) -> None:
    Image.new("RGB", (5000, 2)).save(tmp_path / "0.png")
    assert load_image(tmp_path / "0.png").shape == (2, 5000, 3)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "CMYK"])
def test_other_modes_are_read_in_their_colours(tmp_path: Path, mode: str) -> None:
    colours = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    image = Image.fromarray(colours).convert(mode)
    path = tmp_path / ("0.jpg" if mode == "CMYK" else "0.png")
    image.save(path)
    with Image.open(path) as stored:
        assert np.array_equal(load_image(path), np.asarray(stored.convert("RGB")))


def test_a_missing_caption_is_named(tmp_path: Path) -> None:
    _write(tmp_path, " ")
    with pytest.raises(ValueError, match=r"no caption \(`text`\) for 0\.png"):
        read_imagefolder(tmp_path)


def test_a_missing_image_is_named(tmp_path: Path) -> None:
    _write(tmp_path)
    (tmp_path / "0.png").unlink()
    with pytest.raises(ValueError, match=r"0\.png is listed"):
        read_imagefolder(tmp_path)


def test_an_empty_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"has no metadata\.jsonl"):
        read_imagefolder(tmp_path)
    (tmp_path / METADATA).write_text("\n")
    with pytest.raises(ValueError, match="lists no image"):
        read_imagefolder(tmp_path)


def test_slugs_are_safe_file_names() -> None:
    assert slug("lying on the grass/street") == "lying_on_the_grass_street"
    assert slug("../../etc") == "etc"
    # Nothing that a file system bears is lost of these, and two prompts never share a file.
    long = "lying on the grass " * 20
    names = [slug(text) for text in ("草の上", "道の上", "lying, Ünï", "lying, Ünö", long, f"{long}at night")]
    assert len(set(names)) == len(names)
    assert all(name.isascii() and 0 < len(name) < 120 and name.replace("_", "").isalnum() for name in names)


def test_an_image_that_is_another_than_was_written_is_named(tmp_path: Path) -> None:
    _write(tmp_path)
    content = bytearray((tmp_path / "0.png").read_bytes())
    content[-20] ^= 1
    (tmp_path / "0.png").write_bytes(content)
    with pytest.raises(ValueError, match=r"0\.png is not the picture that was written there .* run `make check-cache`"):
        read_imagefolder(tmp_path)


@pytest.mark.parametrize("name", ["../0.png", "/etc/hostname", "a/../../b.png", None, 3])
def test_a_name_that_leads_out_of_the_set_is_refused(tmp_path: Path, name: object) -> None:
    _write(tmp_path / "set")
    (tmp_path / "0.png").write_bytes((tmp_path / "set/0.png").read_bytes())
    (tmp_path / "set" / METADATA).write_text(json.dumps({"file_name": name, "text": "x"}))
    with pytest.raises(ValueError, match=r"metadata\.jsonl names .*, which is not a file in .*: correct it"):
        read_imagefolder(tmp_path / "set")


def test_broken_metadata_is_named(tmp_path: Path) -> None:
    _write(tmp_path)
    (tmp_path / METADATA).write_text('{"file_name": "0.png", "te')
    with pytest.raises(ValueError, match=r"metadata\.jsonl is broken: remove .* and run the stage"):
        read_imagefolder(tmp_path)
