"""How much work a scan is, before it runs: images, model evaluations, disk.

How many rounds a prompt takes depends on its rate. Expected is what a prompt takes on average, exactly computed, if a
quarter of the suite is drawn wrong in most images and the rest is nearly always right. At most, every prompt is
unsettled up to the last round, and found wrong there.
"""

from __future__ import annotations

from math import ceil

from anomend.params.params import Params
from anomend.pipeline.bill import Line
from anomend.pipeline.costs import PublishedSpeed, Record, duration
from anomend.pipeline.work import BYTES_PER_PIXEL, Work
from anomend.scanning.design import chances
from anomend.scanning.pictures import block_size
from anomend.scanning.rules import Rules

WRONG_SHARE, WRONG_RATE, RIGHT_RATE = 0.25, 0.8, 0.05
"""Assumed of a suite of which nothing is known: like the miniature's, of which 3 of 12 prompts are drawn wrong."""
STAGE = "scan"


def scan_work(params: Params, prompts: int, *, worst: bool = False) -> Work:
    """The work of stage `scan`.

    Args:
        params: the parameters in force.
        prompts: of the suite.
        worst: the most that it can be, instead of what is expected.
    """
    images = round(sum(_images(params, prompts, worst=worst)))
    return Work(
        stage=STAGE,
        images=images,
        steps=params.sample.steps,
        sampling=images * params.sample.passes,
        disk_bytes=int(images * params.base.resolution**2 * BYTES_PER_PIXEL),
    )


def scan_bill(params: Params, prompts: int, *, records: list[Record], published: list[PublishedSpeed]) -> list[Line]:
    """The bill of a scan, one line.

    Args:
        params: the parameters in force.
        prompts: of the suite.
        records: what stages took on this machine.
        published: what GPUs take.
    """
    expected, most = scan_work(params, prompts), scan_work(params, prompts, worst=True)
    return [Line(work=expected, worst=most, duration=duration(expected, params, records=records, published=published))]


def scan_labels(params: Params, prompts: int) -> list[str]:
    """What people have to label for a scan, in words; nothing where the detector judges it."""
    if not params.scan.asks_people:
        return []
    raters, group = params.label.raters_per_picture, Rules.of(params.scan).images_per_label
    expected, most = (
        round(explored / group + fresh) * raters
        for explored, fresh in (_images(params, prompts, worst=worst) for worst in (False, True))
    )
    which = "them" if group == 1 else f"one of {group}, and all fresh ones"
    return [f"people label {which}, {raters} raters per picture: {expected:,} to {most:,} labels, in rounds"]


def _images(params: Params, prompts: int, *, worst: bool) -> tuple[float, float]:
    """Images by which the scan decides, and fresh ones."""
    rules = Rules.of(params.scan)
    block = block_size(rules.seeds_per_round, params.sample.batch_size)
    # A round has whole blocks, fresh images may need one more.
    fresh = ceil(params.scan.fresh.seeds_per_prompt / block) * block
    if worst:
        return prompts * ceil(rules.most_seeds / rules.seeds_per_round) * rules.seeds_per_round, prompts * fresh
    wrong = WRONG_SHARE * prompts
    alone = [chances(rules.of_labels, prompts, rate)["images"] for rate in (WRONG_RATE, RIGHT_RATE)]
    of_wrong, of_right = (images * rules.images_per_label for images in alone)
    return wrong * of_wrong + (prompts - wrong) * of_right, wrong * fresh
