"""The words in which LLM judges are questioned. They are part of the key of every stored answer: changing one letter
means paying for all answers again.
"""

from __future__ import annotations

import json
from typing import Any

from anomend.judging.protocol import BlindPair, PairVerdict

SYSTEM = (
    "You compare two images that were generated for the same prompt, and judge which one is more natural. Count heads, "
    "arms, hands, fingers, legs and feet, and check that each is joined where it belongs, before you decide. The order "
    "of the images means nothing. Say 'tie' where neither is better. Give the reason in one short sentence."
)


def question_text(pair: BlindPair) -> str:
    """The question about a pair."""
    prompt = json.dumps(pair.prompt, ensure_ascii=False)
    if pair.part is None:
        return f"Both images are to show: {prompt}. Which one is better?"
    return (
        f"Both images are cut from larger ones that are to show: {prompt}. Look at the {pair.part} alone: in which "
        "image are they the more natural, in number, form and joints? Say 'tie' where neither is better."
    )


def verdict_schema() -> dict[str, Any]:
    """The JSON schema of `PairVerdict`, limited to what both vendors enforce: without limits on lengths."""
    schema = PairVerdict.model_json_schema()
    properties = {
        name: {key: value for key, value in rules.items() if key not in ("maxLength", "title")}
        for name, rules in schema["properties"].items()
    }
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
