"""Source `paper`: the instance images that the paper published, each checked against its digest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from anomend.collecting.image import Skipped, SourceImage, SourceSettings
from anomend.pictures.reader import read_picture
from anomend.project.files import sha256_of
from anomend.project.hand_edited import read_table

COMMIT = "87964b34ea42169283167483ab18fa2660a409a3"
"""Commit of https://github.com/hyoo14/Finetuned-SD3-Correcting-Anomalous-Images."""


def collect(prompts: Sequence[str], count: int, settings: SourceSettings) -> Iterator[SourceImage | Skipped]:
    """The published instance images whose caption is a target prompt: five, four of them on the grass.

    Args:
        prompts: target prompts.
        count: number of images at most.
        settings: its `paper`.

    Raises:
        FileNotFoundError: an image is missing.
        ValueError: a file is not the published one, or no image answers a target prompt.
    """
    paper = settings.paper
    if paper is None:
        raise ValueError("the source `paper` needs the folder of the published images: set collect.paper.path")
    captions = {row["file_name"]: row["text"] for row in read_table(paper.captions, ("file_name", "text"))}
    taken = 0
    for row in read_table(paper.digests, ("set", "file_name", "sha256")):
        if row["set"] != "instance":
            continue
        name, path = row["file_name"], paper.path / "instance" / row["file_name"]
        if not path.is_file():
            raise FileNotFoundError(
                f"the paper's published images are not in {paper.path} (instance/{name} is missing): run "
                "`make paper-images` once online, or set ANOMEND_PAPER_IMAGES to the folder that holds instance/"
            )
        content = path.read_bytes()
        digest = sha256_of(content)
        if digest != row["sha256"]:
            raise ValueError(f"{path} is not the published file (SHA-256 {digest[:12]}): fetch it again")
        if captions[name] not in prompts:
            yield Skipped(name, f"shows {captions[name]!r}, which is not a target prompt")
        elif taken == count:
            yield Skipped(name, f"beyond the {count} images of collect.images or collect.mix")
        else:
            taken += 1
            provenance = {"original": name, "original_sha256": digest, "commit": COMMIT, "model": "DALL-E 3"}
            image, _ = read_picture(content)
            yield SourceImage(image=image, text=captions[name], prompt=captions[name], provenance=provenance)
    if not taken:
        shown = ", ".join(sorted(set(captions.values())))
        raise ValueError(f"no published image answers a target prompt: they show {shown}; set prompts.target to these")
