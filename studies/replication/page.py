"""The page figures.md: metrics/replication.json in words and tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Metrics = Mapping[str, Any]
ALPHA = 0.05
KINDS = {
    "any": "any of these",
    "missing_person": "nobody found",
    "extra_person": "several people",
    "unclear_body": "body not made out",
    "unclear_hands": "no hand made out",
}


def explanation(metrics: Metrics) -> list[str]:
    """What the metrics show and what they do not, one sentence each; every number and every turn comes from them."""
    reproduced, corrected, table2 = metrics["reproduced"], metrics["corrected"], metrics["table2"]
    psnr, bugs = corrected["psnr"], reproduced["psnr"]
    kernel = next(row for name, row in metrics["distances"].items() if name.startswith("kernel_"))
    turned = (psnr["delta"] > 0) != (bugs["delta"] > 0)
    return [
        _reproduction(metrics),
        "Both are means over the pairs of images within a model's own set, and tell how alike its images are to each "
        f"other: SSIM calls the tuned model's images {_more(reproduced['ssim'], 'more', 'less')} alike than the base's "
        f"({_p(reproduced['ssim'])}), which is {_more(reproduced['ssim'], 'less', 'more')} variety, and neither "
        "quality nor anatomy.",
        "The published PSNR subtracts and squares in bytes that overflow; computed properly it is "
        f"{psnr['tuned']:.4f} dB for the tuned and {psnr['base']:.4f} dB for the base model, so that the order of the "
        f"two {'turns around' if turned else 'stays'}, with a difference that is {_chance(psnr)} ({_p(psnr)}).",
        _fid(metrics),
        f"The tuned model's images are {_more(kernel, 'farther from', 'nearer to')} the instance images than the "
        f"base's ({_p(kernel)}); a model that copied these would be nearest, so that this tells of resemblance, not of "
        "anatomy.",
        f"In the survey {table2['votes_tuned']} of {table2['votes']} votes went to the tuned model, and "
        f"{table2['pairs_tuned']} of {table2['pairs']} pairs; its image was always on the left, so that a liking for "
        "it and a liking for the left cannot be told apart.",
        _anatomy(metrics["anatomy"]),
        "No figure here measures whether limbs and hands are right: on the paper's claim that anomalies became fewer "
        "only the people's votes bear, with the reservation above.",
    ]


def page(metrics: Metrics) -> str:
    """The whole of figures.md."""
    return (
        "\n\n".join(
            [
                "# What the paper's figures show",
                "Written by `python -m studies.replication.tables` from `metrics/replication.json`; changes "
                "made here are lost.",
                " ".join(explanation(metrics)),
                "## Table 1",
                _table(
                    ("measure", "published, tuned / base", "this computation, tuned / base", "tuned - base", "p"),
                    _table_1(metrics),
                ),
                "Intervals are 95% bootstraps of the images of each set, stretched for small samples; "
                "of means over the pairs of ten images they are still somewhat short; "
                "p is exact, over all splits of the unpaired images into two sets.",
                "## FID, by every candidate protocol",
                _fid_table(metrics),
                "## Anatomy, exploratory",
                metrics["anatomy"]["note"],
                _anatomy_table(metrics["anatomy"]),
            ]
        )
        + "\n"
    )


def _reproduction(metrics: Metrics) -> str:
    published, reproduced = metrics["published"], metrics["reproduced"]
    shown = [
        f"{name.upper()} {published[name]['tuned']:.4f} and {published[name]['base']:.4f}"
        for name in ("ssim", "psnr")
        if _to_all_digits(published[name], reproduced[name])
    ]
    if not shown:
        return "Neither the published SSIM nor the published PSNR is reproduced."
    return (
        f"From the published images, {' and '.join(shown)} (tuned and base) come out to all four published digits"
        f"{'' if len(shown) == 2 else ', the other does not'}."
    )


def _to_all_digits(published: Metrics, reproduced: Metrics) -> bool:
    return all(round(reproduced[model], 4) == published[model] for model in ("tuned", "base"))


def _fid(metrics: Metrics) -> str:
    fid = metrics["reproduced"]["fid"]
    if fid["tuned"] is None:
        return f"The published FID is not reproduced: {_lower(fid['reason']).rstrip('.')}."
    meaning = fid["candidates"][fid["protocol"]]["meaning"]
    return f"The published FID is reproduced as the {meaning}; at so few images it is mostly bias."


def _anatomy(anatomy: Metrics) -> str:
    if anatomy["rates"] is None:
        return f"The detector of photographs' anatomy was not run: {anatomy['reason']}."
    some, hands = anatomy["rates"]["any"], anatomy["rates"]["unclear_hands"]
    return (
        "As an exploration, networks that find people, bodies and hands fail on "
        f"{round(some['tuned'] * some['n_tuned'])} of {some['n_tuned']} tuned and "
        f"{round(some['base'] * some['n_base'])} of {some['n_base']} base images, by hands on "
        f"{round(hands['tuned'] * hands['n_tuned'])} and {round(hands['base'] * hands['n_base'])} ({_p(hands)}, "
        f"{_chance(hands)}), which is about what can be made out and not about what is right."
    )


def _table_1(metrics: Metrics) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    names = [
        ("reproduced", "ssim", "SSIM within the set"),
        ("reproduced", "psnr", "PSNR within the set, as published"),
        ("corrected", "psnr", "PSNR within the set, done properly"),
        ("corrected", "ssim", "SSIM with the instance images"),
    ]
    for part, name, label in names:
        row, published = metrics[part][name], metrics["published"][name]
        ends = "" if row["ci_low"] is None else f" ({row['ci_low']:+.4f} to {row['ci_high']:+.4f})"
        shown = f"{published['tuned']:.4f} / {published['base']:.4f}" if part == "reproduced" else "-"
        difference = f"{row['delta']:+.4f}{ends}"
        rows.append((label, shown, f"{row['tuned']:.4f} / {row['base']:.4f}", difference, f"{row['p']:.4f}"))
    return rows


def _fid_table(metrics: Metrics) -> str:
    published = metrics["published"]["fid"]
    other = next(name for name in metrics["distances"] if name.startswith("fid_protocols_"))
    extractor = other.removeprefix("fid_protocols_")
    rows: list[tuple[str, ...]] = []
    for name, row in metrics["reproduced"]["fid"]["candidates"].items():
        hint = metrics["distances"][other][name]
        inception = "-" if row["tuned"] is None else f"{row['tuned']:.4f} / {row['base']:.4f}"
        rows.append((row["meaning"], inception, f"{hint['tuned']:.1f} / {hint['base']:.1f}", f"{hint['ratio']:.3f}"))
    ratio = published["tuned"] / published["base"]
    titles = ("protocol", "Inception, tuned / base", f"{extractor}, tuned / base", "its ratio")
    return (
        f"Published: {published['tuned']:.4f} / {published['base']:.4f}, a ratio of {ratio:.3f}. Figures on another "
        "network's features are on another scale, so that they settle nothing; -: without Inception's weights.\n\n"
        + _table(titles, rows)
    )


def _anatomy_table(anatomy: Metrics) -> str:
    if anatomy["rates"] is None:
        return f"Not computed: {anatomy['reason']}."
    rows: list[tuple[str, ...]] = []
    for kind, row in anatomy["rates"].items():
        counts = (
            f"{round(row[name] * row[f'n_{name}'])} of {row[f'n_{name}']}" for name in ("tuned", "base", "instance")
        )
        rows.append((KINDS.get(kind, kind), *counts, f"{row['p']:.4f}", f"{row['p_holm']:.4f}"))
    for name, row in anatomy["confidence"].items():
        means = (
            "-" if row[model] is None else f"{row[model]:.3f} (n = {row[f'n_{model}']})"
            for model in ("tuned", "base", "instance")
        )
        shown = ("-" if row[key] is None else f"{row[key]:.4f}" for key in ("p", "p_holm"))
        rows.append((f"mean confidence, {name}", *means, *shown))
    titles = ("what the networks tell", "tuned", "base", "instance", "p, tuned and base", "p by Holm")
    return _table(titles, rows)


def _table(titles: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [titles, tuple("---" for _ in titles), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _p(row: Metrics) -> str:
    if row["p"] is None:
        return "p not computed"
    return f"p = {row['p']:.4f}" if row["p"] >= 5e-5 else "p < 0.0001"


def _chance(row: Metrics) -> str:
    return "beyond chance" if row["p"] is not None and row["p"] < ALPHA else "within chance"


def _more(row: Metrics, higher: str, lower: str) -> str:
    return higher if row["tuned"] > row["base"] else lower


def _lower(words: str) -> str:
    return words if words.startswith("Inception") else words[:1].lower() + words[1:]
