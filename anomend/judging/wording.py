"""The words in which LLM judges are questioned. They are part of the key of every stored answer: changing one letter
means paying for all answers again.

The question itself is `survey.question`, which people are asked too: both answer the same.
"""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel

from anomend.judging.verdicts import PairVerdict

SYSTEM = (
    "You compare two images that were generated for the same prompt. First count people, heads, arms and legs in each "
    "image, as they are drawn and not as they should be. Look at hands, fingers and feet too, and whether each part is "
    "joined where it belongs. Then compare the images by each criterion, then answer the question. The order of the "
    "images means nothing. Say 'tie' where neither is ahead. Give the reason in one short sentence."
)


def question_text(prompt: str, part: str | None, question: str) -> str:
    """What is asked about a pair.

    Args:
        prompt: of both images.
        part: the body part in question, shown in crops; None: the whole images.
        question: which of two images is the more natural, in the words that people read.
    """
    quoted = json.dumps(prompt, ensure_ascii=False)
    if part is None:
        return f"Both images are to show: {quoted}. {question}"
    return (
        f"Both images are cut from larger ones that are to show: {quoted}. Look at the {part} alone: "
        f"number, form and joints. {question}"
    )


def verdict_schema() -> dict[str, Any]:
    """The JSON schema of `PairVerdict` as it is sent."""
    return sent_schema(PairVerdict)


def sent_schema(answer: type[BaseModel]) -> dict[str, Any]:
    """The JSON schema of an answer as it is sent: what both vendors enforce, and no more.

    Every field is required, references are written out, and titles and defaults are left out. An object that may be
    null in a stored answer, since the offline judge does not count, may not be null here: a model always counts.
    """
    schema = answer.model_json_schema()
    definitions = schema.get("$defs", {})

    def sent(rules: dict[str, Any]) -> dict[str, Any]:
        objects = [one for one in rules.get("anyOf", []) if "$ref" in one]
        reference = rules.get("$ref") or (objects[0]["$ref"] if objects else None)
        if reference:
            inner = of_object(definitions[reference.rpartition("/")[2]])
            return inner | ({"description": rules["description"]} if "description" in rules else {})
        return {key: value for key, value in rules.items() if key not in ("title", "default")}

    def of_object(rules: dict[str, Any]) -> dict[str, Any]:
        properties = {name: sent(each) for name, each in rules["properties"].items()}
        return {
            "type": "object",
            "properties": properties,
            "required": list(properties),
            "additionalProperties": False,
        }

    return of_object(schema)
