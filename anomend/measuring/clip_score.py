"""CLIPScore: does an image show what its prompt says?

    2.5 max(cos(image embedding, text embedding), 0)

From 0 to 2.5 (in practice about 0.4 to 0.9), higher is better. A single image has a score; some tens have a useful
mean. It rewards the prompt's words, and is almost blind to anatomy. torchmetrics' score, 100 max(cos, 0), is 40 times
this one. Unlike in the paper, "A photo depicts" is not put before the prompt, and CLIP is ViT-L/14, not ViT-B/32, so
scores are not comparable with published ones.

Reference: Hessel et al. 2021, arXiv:2104.08718.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anomend.measuring.networks import clip_model
from anomend.measuring.vectors import directions

WEIGHT = 2.5


def clip_scores(images: ArrayLike, texts: ArrayLike) -> NDArray[np.float64]:
    """Score of each image with its own text.

    Args:
        images: CLIP's image embeddings, shape (n, d).
        texts: CLIP's text embeddings, shape (n, d).

    Returns:
        Shape (n,), from 0 to 2.5.

    Raises:
        ValueError: shapes differ, or an embedding is zero or not finite.
    """
    one, two = directions(images), directions(texts)
    if one.shape != two.shape:
        raise ValueError(f"expected one text embedding per image, got {one.shape} and {two.shape}")
    return np.asarray(WEIGHT * np.clip((one * two).sum(axis=1), 0, 1))


def text_embeddings(texts: Sequence[str], weights: Path) -> NDArray[np.float32]:
    """CLIP's projected text embeddings; each different text goes through the network once.

    Args:
        texts: prompts; they are cut off after CLIP's 77 tokens.
        weights: CLIP's file of weights; its tokenizer's files are in the same folder.

    Returns:
        Shape (n, d).

    Raises:
        FileNotFoundError: the tokenizer's files are missing.
    """
    import torch
    from transformers import CLIPTokenizer

    model = clip_model(weights)
    if not texts:
        return np.empty((0, model.config.projection_dim), dtype=np.float32)
    # Without these files transformers makes a tokenizer with an empty vocabulary.
    files = {file.name for file in weights.parent.iterdir()}
    if "tokenizer.json" not in files and not {"vocab.json", "merges.txt"} <= files:
        raise FileNotFoundError(f"{weights.parent} has no tokenizer of CLIP: fetch the model again")
    tokenizer = CLIPTokenizer.from_pretrained(weights.parent)
    different = list(dict.fromkeys(texts))
    length = model.config.text_config.max_position_embeddings
    tokens = tokenizer(different, padding=True, truncation=True, max_length=length, return_tensors="pt")
    with torch.inference_mode():
        tokens = tokens.to(model.device)
        pooled = model.text_model(tokens.input_ids, tokens.attention_mask).pooler_output
        embeddings = model.text_projection(pooled).float().cpu().numpy()
    return np.asarray(embeddings[[different.index(text) for text in texts]])
