"""The labels' static folder, and the key that unblinds its names.

    labelling/index.html, *.js, *.css, jspsych/   the page, the same for every design
    labelling/texts.js                            what raters read, in all languages
    labelling/images/<blind name>.jpg
    labelling/plans/<rater's code>.js             everything that this rater sees

Nothing in it tells which model drew a picture, or for which prompt.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from anomend.labelling.plans import Showing
from anomend.labelling.texts import Texts
from anomend.pictures.image_sets import load_image
from anomend.surveying.images import save_image
from anomend.surveying.key import KeyPicture, LabelKey
from anomend.surveying.site import code_of, copy_page, digest_of, write_script

LABEL_PAGE = Path(__file__).with_name("label_page")
READS = ("page/*", "page/jspsych/*", "label_page/*")
"""Files that this module reads: a change of them is a change of its code."""


def build_label_site(
    folder: Path,
    *,
    plans: Sequence[Sequence[Showing]],
    files: Mapping[str, Path],
    texts: Sequence[Texts],
    seed: int,
) -> LabelKey:
    """Write the folder and return its key; the same arguments give the same bytes.

    Args:
        folder: where the site is written; what is in it is replaced.
        plans: what each rater sees.
        files: each picture's file, by its SHA-256.
        texts: of every language of the page; the first one is shown where the browser asks for none of them.
        seed: seed of names and codes.

    Raises:
        ValueError: a file is not a picture.
    """
    shown = [[(one.picture, one.number, one.gold) for one in plan] for plan in plans]
    design = digest_of(shown, [text.version for text in texts], seed)[:16]
    codes = [code_of(design, seed, number) for number in range(len(plans))]

    copy_page(folder, LABEL_PAGE)
    shown_pictures = sorted({one.picture for plan in plans for one in plan})
    names = {picture: save_image(folder / "images", load_image(files[picture]), seed) for picture in shown_pictures}
    write_script(folder / "texts.js", {"pageTexts": {text.language: text.content for text in texts}})
    for code, plan in zip(codes, plans, strict=True):
        content = {"design": design, "rater": code, "pictures": [names[one.picture] for one in plan]}
        write_script(folder / "plans" / f"{code}.js", {"labelPlan": content})
    raters = {code: tuple(map(_keyed, plan)) for code, plan in zip(codes, plans, strict=True)}
    return LabelKey(design=design, texts={text.language: text.version for text in texts}, raters=raters)


def _keyed(one: Showing) -> KeyPicture:
    return KeyPicture(picture=one.picture, showing=1 if one.number else 0, gold=one.gold)


def shown_names(folder: Path, key: LabelKey) -> dict[str, KeyPicture]:
    """Which picture each blind name is.

    Raises:
        ValueError: the folder is that of another key.
    """
    names: dict[str, KeyPicture] = {}
    for code, pictures in key.raters.items():
        path = folder / "plans" / f"{code}.js"
        if not path.is_file():
            raise ValueError(f"{folder} does not hold the pictures of this key: run `dvc repro label`")
        plan = json.loads(path.read_text(encoding="utf-8").partition(" = ")[2].rstrip(";\n"))
        names |= dict(zip(plan["pictures"], pictures, strict=True))
    return names
