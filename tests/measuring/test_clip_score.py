"""CLIPScore from a small CLIP with random weights, saved as the hub lays it out."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import CLIPConfig, CLIPModel, CLIPTokenizer

from anomend.measuring import networks
from anomend.measuring.clip_score import clip_scores, text_embeddings
from anomend.measuring.features import EXTRACTORS, FeatureExtractor
from tests.conftest import ROOT

TEXTS = ["a photo of a person lying on the grass", "a photo of a person standing on the beach", "sitting"]


def save_clip(folder: Path) -> CLIPModel:
    """A small CLIP of random weights with the miniature's tokenizer."""
    tokenizer = CLIPTokenizer.from_pretrained(ROOT / "models" / "mini" / "tokenizer")
    small = {"hidden_size": 24, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    text = {
        **small,
        "vocab_size": len(tokenizer),
        "max_position_embeddings": 16,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    torch.manual_seed(0)
    model = CLIPModel(CLIPConfig(vision_config={**small, "patch_size": 32}, text_config=text, projection_dim=16)).eval()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return model


def test_agrees_with_the_logits_of_the_whole_model(tmp_path: Path) -> None:
    model = save_clip(tmp_path)
    pictures = list(np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), dtype=np.uint8))
    mean, std = EXTRACTORS["clip"].mean, EXTRACTORS["clip"].std
    find = partial(networks.hub_weights, str(tmp_path), "none")
    extractor = FeatureExtractor(
        name="tiny", dimension=16, source="test", mean=mean, std=std, find=find, load=networks.clip
    )
    found = clip_scores(extractor.extract(pictures), text_embeddings(TEXTS, extractor.find()))
    # The cosine is the logit over the model's own temperature.
    tokenizer = CLIPTokenizer.from_pretrained(tmp_path)
    tokens = tokenizer(TEXTS, padding=True, return_tensors="pt")
    # The mean and deviation that OpenAI published, on values from 0 to 1.
    centre = torch.tensor([0.48145466, 0.4578275, 0.40821073]).view(3, 1, 1)
    spread = torch.tensor([0.26862954, 0.26130258, 0.27577711]).view(3, 1, 1)
    resized = [np.asarray(Image.fromarray(p).resize((224, 224), Image.Resampling.BICUBIC)) for p in pictures]
    pixels = (torch.tensor(np.stack(resized)).permute(0, 3, 1, 2) / 255 - centre) / spread
    with torch.no_grad():
        logits = model(input_ids=tokens.input_ids, attention_mask=tokens.attention_mask, pixel_values=pixels)
    cosines = (logits.logits_per_image / model.logit_scale.exp()).diagonal().detach().numpy()
    assert np.allclose(found, 2.5 * np.maximum(cosines, 0), rtol=1e-4, atol=1e-6)
    assert len(set(np.round(cosines, 5))) == 3


def test_each_sample_has_its_own_text_whatever_the_order(tmp_path: Path) -> None:
    save_clip(tmp_path)
    weights = tmp_path / "model.safetensors"
    mixed = text_embeddings([TEXTS[1], TEXTS[0], TEXTS[1]], weights)
    alone = text_embeddings([TEXTS[0]], weights)
    assert np.allclose(mixed[1], alone[0], atol=1e-5) and np.array_equal(mixed[0], mixed[2])
    assert text_embeddings([], weights).shape == (0, 16)
    # 16 places are all that this CLIP has.
    assert np.isfinite(text_embeddings(["grass " * 40], weights)).all()


def test_a_folder_without_tokenizer_is_named(tmp_path: Path) -> None:
    save_clip(tmp_path)
    for file in tmp_path.glob("tokenizer*"):
        file.unlink()
    with pytest.raises(FileNotFoundError, match="no tokenizer"):
        text_embeddings(TEXTS, tmp_path / "model.safetensors")


def test_scores_by_hand() -> None:
    images, texts = np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 0.0]]), np.array([[3.0, 0.0], [0.0, 2.0], [-1.0, 0.0]])
    assert clip_scores(images, texts) == pytest.approx([2.5, 2.5 / np.sqrt(2), 0])
    assert clip_scores(np.empty((0, 4)), np.empty((0, 4))).shape == (0,)


def test_bad_embeddings_are_named() -> None:
    with pytest.raises(ValueError, match="one text embedding per image"):
        clip_scores(np.ones((2, 3)), np.ones((3, 3)))
    for bad in (np.zeros((1, 3)), np.full((1, 3), np.nan)):
        with pytest.raises(ValueError, match="zero, NaN or infinite"):
            clip_scores(bad, np.ones((1, 3)))
