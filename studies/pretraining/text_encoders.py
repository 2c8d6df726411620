"""Pre-train the miniature's two CLIP text encoders to tell which words a caption holds; then they stay frozen.

Both outputs that Stable Diffusion 3 reads are trained: the projected, pooled embedding and the hidden states of the
layer before the last.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from torch.nn import functional as F
from tqdm import tqdm
from transformers import CLIPTextConfig, CLIPTextModelWithProjection, CLIPTokenizer

from anomend.miniature.captions import WORDS, caption
from anomend.miniature.drawn_people import sample_scene
from anomend.project.seeding import make_deterministic, python_random, torch_generator
from studies.pretraining.settings import TextEncoderSettings, load_settings, write_metrics

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def build_tokenizer(tokens: int) -> CLIPTokenizer:
    """A CLIP tokenizer in which each word of the grammar is one token and any other word is spelled in letters."""
    bpe = Tokenizer(models.BPE(end_of_word_suffix="</w>", unk_token="<|endoftext|>"))
    bpe.pre_tokenizer = pre_tokenizers.Whitespace()
    trainer = trainers.BpeTrainer(
        vocab_size=2000,
        min_frequency=1,
        initial_alphabet=list(LETTERS),
        end_of_word_suffix="</w>",
        show_progress=False,
    )
    bpe.train_from_iterator([" ".join(WORDS)] * 10, trainer)
    learned = json.loads(bpe.to_str())["model"]["merges"]
    merges = [tuple(pair.split(" ")) if isinstance(pair, str) else tuple(pair) for pair in learned]
    entries = [*LETTERS, *(letter + "</w>" for letter in LETTERS), *(a + b for a, b in merges)]
    vocabulary = [*dict.fromkeys(entries), "<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizer(
        vocab={token: index for index, token in enumerate(vocabulary)}, merges=merges, model_max_length=tokens
    )


def build_encoder(
    settings: TextEncoderSettings, tokenizer: CLIPTokenizer, activation: str
) -> CLIPTextModelWithProjection:
    """A small CLIP text model; the two differ in activation and initialisation, as Stable Diffusion 3's do in size."""
    size = settings.hidden_size
    return CLIPTextModelWithProjection(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=size,
            intermediate_size=2 * size,
            num_hidden_layers=settings.layers,
            num_attention_heads=4,
            max_position_embeddings=settings.tokens,
            projection_dim=size,
            hidden_act=activation,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


def train_encoder(
    *,
    encoder: CLIPTextModelWithProjection,
    ids: torch.Tensor,
    words: torch.Tensor,
    settings: TextEncoderSettings,
    key: str,
) -> float:
    """Train on token ids (N, tokens) to predict word presence (N, words); returns the share predicted right."""
    size, targets = settings.hidden_size, words.shape[1]
    pooled_head, hidden_head = torch.nn.Linear(size, targets), torch.nn.Linear(size, targets)
    parameters = [*encoder.parameters(), *pooled_head.parameters(), *hidden_head.parameters()]
    optimizer = torch.optim.AdamW(parameters, settings.learning_rate)
    accuracy = 0.0
    for step in tqdm(range(settings.steps), desc=key):
        rows = torch.randint(len(ids), (64,), generator=torch_generator(settings.seed, key, step))
        output = encoder(ids[rows], output_hidden_states=True)
        pooled, hidden = pooled_head(output.text_embeds), hidden_head(output.hidden_states[-2].mean(1))
        loss = F.binary_cross_entropy_with_logits(pooled, words[rows])
        loss = loss + F.binary_cross_entropy_with_logits(hidden, words[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        accuracy = ((pooled > 0) == (words[rows] > 0.5)).float().mean().item()
    encoder.eval()
    return accuracy


def main() -> None:
    settings = load_settings().text_encoders
    make_deterministic(settings.seed)
    rng = python_random(settings.seed, "captions")
    captions = sorted({caption(sample_scene(rng), rng) for _ in range(settings.captions)})
    tokenizer = build_tokenizer(settings.tokens)
    ids = tokenizer(
        captions, padding="max_length", max_length=settings.tokens, truncation=True, return_tensors="pt"
    ).input_ids
    targets = [word for word in WORDS if any(word in c.split() for c in captions)]
    words = torch.tensor([[word in c.split() for word in targets] for c in captions]).float()
    build = Path("studies/pretraining/build")
    accuracies = {}
    for suffix, activation in (("", "quick_gelu"), ("_2", "gelu")):
        encoder = build_encoder(settings, tokenizer, activation)
        accuracies[f"word_accuracy{suffix}"] = train_encoder(
            encoder=encoder, ids=ids, words=words, settings=settings, key=f"text_encoder{suffix}"
        )
        encoder.save_pretrained(build / f"text_encoders/text_encoder{suffix}")
        tokenizer.save_pretrained(build / f"text_encoders/tokenizer{suffix}")
    write_metrics("text_encoders", {**accuracies, "captions": len(captions), "vocabulary": len(tokenizer)})


if __name__ == "__main__":
    main()
