"""Source `folder`: the user's pictures."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

from anomend.collecting.captions import Caption, Captions
from anomend.collecting.image import FolderSettings, Skipped, SourceImage, SourceSettings
from anomend.collecting.own_files import own_files
from anomend.pictures.reader import check_format, read_picture
from anomend.project.files import sha256_of

Captioned = tuple[Path, Caption]


def check(prompts: Sequence[str], settings: SourceSettings) -> None:
    """Whether the folder and its tables of captions can be read; no picture is.

    Raises:
        ValueError: they cannot.
    """
    folder = _settings(settings)
    Captions(folder.path, prompts, folder.caption, own_files(folder.path))


def collect(prompts: Sequence[str], count: int, settings: SourceSettings) -> Iterator[SourceImage | Skipped]:
    """The pictures of a folder and its sub-folders; each file that is not a usable picture is reported.

    They come by name. If there are more than `count`, the target prompts take turns, each by name, so that no prompt
    goes without; pictures that answer no single prompt take turns with them.

    Args:
        prompts: target prompts; `Captions` says which of them a picture gets.
        count: number of pictures at most.
        settings: its `folder`.

    Raises:
        ValueError: there is no such folder, there is no picture in it, or a table of captions cannot be read.
    """
    folder = _settings(settings)
    own = own_files(folder.path)
    yield from own.refused
    captions = Captions(folder.path, prompts, folder.caption, own)
    for table, reason in captions.unused():
        yield Skipped(table, reason, kind="caption")
    candidates: list[Captioned] = []
    for path in own.files:
        if captions.is_caption(path):
            continue
        try:
            check_format(path)
        except ValueError as error:
            reason = captions.instead_of_a_picture(path) or str(error)
            yield Skipped(_name(path, folder.path), reason, kind="not_a_picture")
            continue
        try:
            candidates.append((path, captions.of(path)))
        except ValueError as error:
            yield Skipped(_name(path, folder.path), str(error), kind="caption")
    queues = [deque(candidates)] if len(candidates) <= count else _by_prompt(candidates, prompts)
    taken, turns = 0, deque(queues)
    while turns and taken < count:
        queue = turns.popleft()
        for item in _next_readable(queue, folder.path):
            taken += isinstance(item, SourceImage)
            yield item
        if queue:
            turns.append(queue)
    for path in sorted(path for queue in turns for path, _ in queue):
        reason = f"beyond the {count} images of collect.images or collect.mix"
        yield Skipped(_name(path, folder.path), reason, kind="beyond")
    if not taken:
        raise ValueError(
            f"there is no readable JPEG, PNG or WebP picture with a caption in {folder.path}: put your pictures there"
        )


def _settings(settings: SourceSettings) -> FolderSettings:
    if settings.folder is None:
        raise ValueError("the source `folder` needs the folder's path: set collect.folder.path")
    return settings.folder


def _name(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()


def _by_prompt(candidates: Sequence[Captioned], prompts: Sequence[str]) -> list[deque[Captioned]]:
    """The pictures of each target prompt, in the order of the prompts, and then all others."""
    queues: dict[str, deque[Captioned]] = {prompt: deque() for prompt in prompts}
    others: deque[Captioned] = deque()
    for path, caption in candidates:
        queues.get(caption.prompt, others).append((path, caption))
    return [queue for queue in (*queues.values(), others) if queue]


def _next_readable(queue: deque[Captioned], folder: Path) -> Iterator[SourceImage | Skipped]:
    """Takes the first readable picture from a queue, and all before it, which are reported."""
    while queue:
        path, caption = queue.popleft()
        name = _name(path, folder)
        try:
            image, changes = read_picture(path)
        except ValueError as error:
            yield Skipped(name, str(error), kind="picture")
            continue
        provenance = {
            "original": name,
            "original_sha256": sha256_of(path),
            "changes": list(changes),
            "caption_from": caption.where,
        }
        yield SourceImage(
            image=image, text=caption.text, prompt=caption.prompt, provenance=provenance, caption_kind=caption.kind
        )
        return
