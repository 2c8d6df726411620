"""What a verdict is about, and what it cannot say."""

from __future__ import annotations

from anomend.verdict.evidence import Change


def scope_of(target: Change, held_out: Change, error: float, attempt: int | None) -> tuple[str, ...]:
    """What the verdict is about, and what it cannot say, in sentences; `error`: 1 less the confidence of a clause."""
    counts = f"{len(target.prompts)} target and {len(held_out.prompts)} held-out prompts"
    seeds = (
        "Its seeds are those of everyday runs, and whoever tries often enough passes there by luck: `make confirm`"
        " decides at seeds that nothing has looked at."
    )
    if attempt is not None:
        seeds = f"It is confirmation {attempt}, at seeds that nothing had looked at when its record was committed."
    sentences = [
        seeds,
        f"It is about new seeds of these {counts}, not about other prompts.",
        f"`corrected` and `not_corrected` are each wrong in at most {error:.3g} of runs whose truth is at a threshold.",
    ]
    if held_out.prompts:
        # With m prompts of which none is ruined, a share s of ruined prompts has probability (1 - s)^m.
        unseen = 1 - error ** (1 / len(held_out.prompts))
        sentences.append(
            f"Even if no held-out prompt got worse, up to {unseen:.0%} of the prompts that are like them may have:"
            f" {len(held_out.prompts)} prompts exclude no less."
        )
    return tuple(sentences)
