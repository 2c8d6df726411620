"""The requests of the LLM judges. Their keys find the answers that users have paid for, so they must never change."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from anomend.judging.llm_judge import LlmJudge
from anomend.judging.protocol import BlindPair
from anomend.judging.registry import make_judge
from anomend.judging.settings import JudgeSettings, LlmSettings
from tests.purchasing.settings import settings_for

MODELS = {"anthropic": "claude-opus-5-5", "openai": "gpt-6.2-sol"}
KEYS = {
    ("anthropic", None): "261fcc65ad8f3ea09220082945d3804cda9d8b2ceeb4c59909187ba91f95067f",
    ("anthropic", "arms"): "d9e5683ef5b89b7b04ba75233da4844ef518ffa58892c14681983f05a858cf47",
    ("openai", None): "4d63e3c2e691f415ddcbe186b174b8fd512b1803b70c5b85030e712937a81307",
    ("openai", "arms"): "93cff8128d2d6500653a106ea20d3d96ad6470d0e7230618b06646be5dee25c8",
}
"""Written down when answers were first stored under such keys."""


@pytest.mark.parametrize(("provider", "part"), KEYS)
def test_the_keys_of_paid_answers_stay(provider: str, part: str | None, tmp_path: Path) -> None:
    pixels = (np.arange(48 * 64 * 3) % 251).astype(np.uint8).reshape(64, 48, 3)
    pair = BlindPair(
        prompt="lying on the gräss",
        image_a=pixels,
        image_b=pixels[::-1].copy(),
        name_a="a.png",
        name_b="b.png",
        repeat=1,
        part=part,
    )
    llm = LlmSettings(purchase=settings_for(MODELS[provider], tmp_path), image_size=128, max_tokens=1000)
    judge = make_judge(provider, JudgeSettings(detector="none", llm=llm))
    assert isinstance(judge, LlmJudge)
    request = judge.request(pair)
    assert request.key == KEYS[provider, part]
    assert list(request.attachments) == [
        "278156b73544589cabacae21c5d7663f424ef8aee3d94ba756ef111868fe4270",
        "70a4f7a0971f774450a83bf70cdff809b08e5f58002c474c95d11ad1c7a58309",
    ]
    # 900 tokens of text and 17 of images in, 1000 out: $4 and $20 a million, or $2 and $10.
    assert request.estimate_usd == pytest.approx(0.02374 if provider == "anthropic" else 0.01187)
