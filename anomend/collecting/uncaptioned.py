"""The caption of a picture for which nobody wrote one."""

from __future__ import annotations

from collections.abc import Sequence

from anomend.project.slugs import slug


def caption_by_name(name: str, prompts: Sequence[str]) -> str:
    """The only target prompt, or the one that a picture's name begins with, as `lying on the grass (3).jpg` does.

    Never several of them: no image is sampled from "A or B", so training on that teaches none of the prompts.

    Args:
        name: of the file, without its ending.
        prompts: target prompts.

    Raises:
        ValueError: it cannot be told; the message does not name the picture.
    """
    named = [prompt for prompt in prompts if f"{slug(name)}_".startswith(f"{slug(prompt)}_")]
    fitting = prompts if len(prompts) == 1 else named
    if len(fitting) == 1:
        return fitting[0]
    raise ValueError(
        f"has no caption, and there are {len(prompts)} target prompts: put it into a folder named after its prompt "
        f"({slug(prompts[0])}/), write a caption to a .txt next to it, or set collect.folder.caption"
    )
