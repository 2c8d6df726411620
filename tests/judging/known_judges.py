"""Judges whose answers are known, and images that are easy to tell apart."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
from PIL import Image

from anomend.judging.protocol import BlindPair, Reply
from anomend.judging.verdicts import PairVerdict
from anomend.project.seeding import numpy_generator

PROMPT = "lying on the grass"


def reply(choice: str) -> Reply:
    return Reply(json.dumps(dict.fromkeys(PairVerdict.model_fields, None) | {"overall": choice, "reason": "because"}))


class AlwaysFirst:
    """Likes the first image, whatever it shows."""

    provider, model = "test", "always-first"

    def judge(self, pair: BlindPair) -> Reply:
        return reply("A")


class Noisy:
    """Prefers the darker image in 60 of 100 answers, and ignores the position."""

    provider, model = "test", "noisy"

    def __init__(self) -> None:
        self.rng = numpy_generator(5, "noisy judge")

    def judge(self, pair: BlindPair) -> Reply:
        darker = "A" if pair.image_a.mean() < pair.image_b.mean() else "B"
        other = "B" if darker == "A" else "A"
        return reply(darker if self.rng.random() < 0.6 else other)


class Mumbling:
    """Answers only when the darker image comes first."""

    provider, model = "test", "mumbling"

    def judge(self, pair: BlindPair) -> Reply:
        return reply("A") if pair.image_a.mean() < pair.image_b.mean() else Reply("I would say A, but who knows")


def flat_images(folder: Path, count: int, grey: int) -> pd.DataFrame:
    folder.mkdir()
    rows = []
    for seed in range(count):
        Image.new("RGB", (4, 4), (grey, seed % 256, seed // 256)).save(folder / f"{seed}.png")
        rows.append({"prompt": PROMPT, "seed": seed, "path": folder / f"{seed}.png"})
    return pd.DataFrame(rows)
