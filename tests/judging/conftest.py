"""Pairs of images to judge: flat ones, whose answer anyone can give, and real ones of the miniature world."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from anomend.judging.protocol import choose_pairs
from anomend.miniature.defects import plant
from anomend.miniature.drawn_people import pose, render, sample_scene
from anomend.project.seeding import python_random
from tests.judging.known_judges import PROMPT, flat_images


@pytest.fixture
def flat(tmp_path: Path) -> pd.DataFrame:
    """Forty pairs; the tuned image is the darker one."""
    base, tuned = flat_images(tmp_path / "base", 40, 250), flat_images(tmp_path / "tuned", 40, 3)
    return choose_pairs(base, tuned, per_prompt=100, seed=0)


@pytest.fixture
def drawn(tmp_path: Path) -> pd.DataFrame:
    """Five real pairs: the base's drawn person lacks an arm in all of them, the tuned model's in the first two."""
    rows = []
    for model, anomalous in (("base", 5), ("tuned", 2)):
        (tmp_path / model).mkdir()
        for seed in range(5):
            rng = python_random("judge test", model, seed)
            scene = sample_scene(rng, "lying", "grass")
            body = pose(scene, rng)
            if seed < anomalous:
                plant(body, "missing_arm", rng)
            path = tmp_path / model / f"{seed}.png"
            Image.fromarray(render(scene, rng, body)).save(path)
            rows.append({"model": model, "prompt": PROMPT, "seed": seed, "path": path})
    table = pd.DataFrame(rows)
    return choose_pairs(table[table["model"] == "base"], table[table["model"] == "tuned"], per_prompt=5, seed=0)
