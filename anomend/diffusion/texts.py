"""Text embeddings that all stages and experiments share: text encoders are loaded only where a text is missing.

T5-XXL alone is 9 GB in 16 bits, which would otherwise be loaded by every stage that encodes or samples.
"""

from __future__ import annotations

import gc
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import torch
from diffusers import DiffusionPipeline
from safetensors.torch import load, save

from anomend.diffusion.embeddings import TextEmbeddings, encode_texts
from anomend.diffusion.loading import load_for_texts
from anomend.diffusion.text_store import TextStore
from anomend.params.diffusion import BaseModelParams
from anomend.project.files import sha256_of

Values = dict[str, torch.Tensor]
"""A text's tensors by the names of the base's family, such as `embeds`, (tokens, width)."""


class EncodesTexts(Protocol):
    """Maps distinct texts to their embeddings, as `embeddings.encode_texts` does with a pipeline."""

    def __call__(self, texts: Sequence[str], *, max_sequence_length: int, batch_size: int) -> TextEmbeddings: ...


class StoredTexts:
    """The embeddings of a base's texts, from the store; the text encoders are loaded when the first one is missing."""

    def __init__(
        self, base: BaseModelParams, store: TextStore, recipe: Mapping[str, Any], *, ahead: Iterable[str] = ()
    ) -> None:
        """
        Args:
            base: the base.
            store: keeps embeddings.
            recipe: what the embeddings depend on besides the texts (`recipes.text_recipe`); its `t5_8bit` is obeyed.
            ahead: texts that later stages need. They are encoded too where the encoders are loaded anyway, unless
                texts are encoded in batches.
        """
        self.base, self.store, self.recipe, self.ahead = base, store, dict(recipe), list(ahead)
        self._encoders: DiffusionPipeline | None = None

    def __call__(self, texts: Sequence[str], *, max_sequence_length: int, batch_size: int) -> TextEmbeddings:
        """Embeddings of distinct texts.

        Args:
            texts: at least one.
            max_sequence_length: length of the text in tokens; where there are CLIP and T5, of the T5 part.
            batch_size: texts that are encoded together. Their last bits depend on one another, so what was encoded in
                other company is not taken.

        Raises:
            ValueError: the base cannot be loaded, or an embedding is not finite.
        """
        batches = [list(texts[start : start + batch_size]) for start in range(0, len(texts), batch_size)]
        found = [self._find(batch, max_sequence_length) for batch in batches]
        if not all(found):
            # Of several processes one encodes, and the others take what it has stored.
            with self.store.lock():
                found = [
                    self._find(batch, max_sequence_length) or self._encode(batch, max_sequence_length)
                    for batch in batches
                ]
                for text in self.ahead if batch_size == 1 and self._encoders else ():
                    if not self._find([text], max_sequence_length):
                        self._encode([text], max_sequence_length)
                self.store.prune()
        rows = [values for batch in found for values in batch]
        return TextEmbeddings(list(texts), {name: torch.stack([row[name] for row in rows]) for name in rows[0]})

    def free(self) -> None:
        """Free the memory of the text encoders, if they were loaded."""
        self._encoders = None
        gc.collect()
        torch.cuda.empty_cache()

    def _find(self, batch: list[str], length: int) -> list[Values]:
        """The batch's embeddings; empty if one is missing."""
        stored = [self.store.find(key) for key in self._keys(batch, length)]
        contents = [content for content in stored if content is not None]
        return [load(content) for content in contents] if len(contents) == len(batch) else []

    def _encode(self, batch: list[str], length: int) -> list[Values]:
        self._encoders = self._encoders or load_for_texts(self.base, t5_8bit=self.recipe["t5_8bit"])
        made = encode_texts(self._encoders, batch, max_sequence_length=length, batch_size=len(batch))
        rows = [
            {name: values[place].contiguous() for name, values in made.texts.items()} for place in range(len(batch))
        ]
        for key, row in zip(self._keys(batch, length), rows, strict=True):
            self.store.add(key, save(row))
        return rows

    def _keys(self, batch: list[str], length: int) -> list[str]:
        recipe = self.recipe | {"max_sequence_length": length}
        return [sha256_of(json.dumps([recipe, batch, text], sort_keys=True)) for text in batch]
