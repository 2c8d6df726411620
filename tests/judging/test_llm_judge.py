"""The requests of the LLM judges. Their keys find the answers that users have paid for, so they must never change."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from anomend.judging.llm_judge import LlmJudge
from anomend.judging.protocol import BlindPair
from anomend.judging.registry import make_judge
from anomend.judging.settings import JudgeSettings, LlmSettings
from tests.detectors.settings import detector_params
from tests.purchasing.settings import settings_for

MODELS = {"anthropic": "claude-opus-5-5", "openai": "gpt-6.2-sol"}
KEYS = {
    ("anthropic", None): "f7f1828f68f1bca8cb0f85d6368b07a417e52d04e2f7c6de9697eebee755f9d7",
    ("anthropic", "arms"): "ab9c5c0a39a32cc58dd4dd1eed51899aaa10a1a7f2862ebd58273a9db25b5908",
    ("openai", None): "4263fc966d7569abe4affc4f8eafc9bdb428c545c7fc3219c3db43910558f07d",
    ("openai", "arms"): "b0e770303aaaf1f6cebd5708bf041a242e7efdba7bfb7ae3f35030512f2f369e",
}
"""Written down when answers were first stored under such keys: since models are asked what people are asked."""


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
    purchase = settings_for(MODELS[provider], tmp_path)
    llm = LlmSettings(purchase=purchase, question="Which picture?", image_size=128, max_tokens=1000)
    judge = make_judge(provider, JudgeSettings(detector="none", detectors=detector_params(), llm=llm))
    assert isinstance(judge, LlmJudge)
    request = judge.client.request(judge.question(pair))
    assert request.key == KEYS[provider, part]
    assert list(request.attachments) == [
        "e11516c708125f6351def9ad93137a255128b48a5e89785d5c4d262f77fec9b2",
        "9bc7cc650c144e244a63a8debac6b80fd68686d51836d10a9d3c47ce8988f207",
    ]
    # 1100 tokens of text and 35 of images in, 1000 out: $4 and $20 a million, or $2 and $10.
    assert request.estimate_usd == pytest.approx(0.02454 if provider == "anthropic" else 0.01227)
