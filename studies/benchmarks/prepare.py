"""Write what all contenders train on, as `python -m studies.benchmarks.prepare FOLDER --images N ...`.

    FOLDER/base/     the miniature base, with a tiny T5 and CLIP encoders that take 77 tokens; the same transformer
    FOLDER/images/   drawn people, an imagefolder: two captions in turn
    FOLDER/plain/    the same pictures without captions, for a script that takes one prompt for all
    FOLDER/class_images/, FOLDER/class/    class images, with and without captions
    FOLDER/parameters.yaml                 the parameters of the default profile

diffusers' script always loads a third text encoder, and pads prompts to CLIP's 77 tokens; the miniature has no T5 and
13 CLIP positions. What is added has random weights: it costs time as trained weights would.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import CLIPTextModelWithProjection, T5Config, T5EncoderModel, T5TokenizerFast

from anomend.collecting.drawn_people import collect_drawn_people
from anomend.params.profiles import resolve
from anomend.pictures.image_sets import ImageFolderWriter
from anomend.project.paths import PROFILES
from anomend.project.seeding import make_deterministic
from anomend.project.yaml_files import read_yaml, to_yaml
from studies.benchmarks.contenders import CLASS_PROMPT, CLIP_TOKENS

TARGET = ("lying on the grass", "lying on the street")


def write_base(source: Path, target: Path) -> None:
    """Copy a base without T5 and give it one; transformer, VAE and scheduler stay as they are."""
    make_deterministic(0)
    shutil.copytree(source, target)
    index = json.loads((source / "model_index.json").read_text())
    index |= {"text_encoder_3": ["transformers", "T5EncoderModel"], "tokenizer_3": ["transformers", "T5TokenizerFast"]}
    (target / "model_index.json").write_text(json.dumps(index, indent=2))
    for suffix in ("", "_2"):
        widen_clip(target / f"text_encoder{suffix}", target / f"tokenizer{suffix}" / "tokenizer_config.json")
    width = json.loads((source / "transformer" / "config.json").read_text())["joint_attention_dim"]
    write_t5(target, width)


def widen_clip(encoder: Path, tokenizer_config: Path) -> None:
    """Let a CLIP text encoder take 77 tokens: its position table grows by random rows."""
    narrow = CLIPTextModelWithProjection.from_pretrained(encoder, dtype=torch.float32)
    narrow.config.max_position_embeddings = CLIP_TOKENS
    wide = CLIPTextModelWithProjection(narrow.config)
    weights, rows = wide.state_dict(), narrow.state_dict()
    for name, value in rows.items():
        weights[name][: len(value)] = value
    wide.save_pretrained(encoder)
    config = json.loads(tokenizer_config.read_text())
    config |= {"max_length": CLIP_TOKENS, "model_max_length": CLIP_TOKENS}
    tokenizer_config.write_text(json.dumps(config, indent=2))


def write_t5(target: Path, width: int) -> None:
    """A two-layer T5 encoder of the transformer's text width, and a tokenizer of single letters."""
    letters = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *((mark, -1.0) for mark in "▁abcdefghijklmnopqrstuvwxyz")]
    tokenizer = T5TokenizerFast(vocab=letters, extra_ids=0, model_max_length=512)
    tokenizer.save_pretrained(target / "tokenizer_3")
    config = T5Config(
        vocab_size=len(letters),
        d_model=width,
        d_kv=width // 4,
        d_ff=2 * width,
        num_layers=2,
        num_heads=4,
        feed_forward_proj="gated-gelu",
    )
    T5EncoderModel(config).save_pretrained(target / "text_encoder_3")


def write_images(*, folder: Path, plain: Path, prompts: Sequence[str], count: int, seed: int) -> None:
    """Draw people with captions, and copy the pictures to a folder that has nothing else."""
    writer = ImageFolderWriter(folder)
    for index, item in enumerate(collect_drawn_people(prompts, count, seed)):
        writer.add(f"{index:04d}.png", item.image, text=item.text)
    writer.close()
    plain.mkdir()
    for path in folder.glob("*.png"):
        shutil.copy(path, plain)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--project", type=Path, default=Path(), help="root of the project")
    parser.add_argument("--images", type=int, required=True)
    parser.add_argument("--class-images", type=int, required=True)
    args = parser.parse_args()
    args.folder.mkdir(parents=True)
    write_base(args.project / "models" / "mini", args.folder / "base")
    write_images(folder=args.folder / "images", plain=args.folder / "plain", prompts=TARGET, count=args.images, seed=7)
    write_images(
        folder=args.folder / "class_images",
        plain=args.folder / "class",
        prompts=(CLASS_PROMPT,),
        count=args.class_images,
        seed=8,
    )
    params = resolve(read_yaml(args.project / "params.yaml"), args.project / PROFILES)
    (args.folder / "parameters.yaml").write_text(to_yaml(params.model_dump(mode="json")))


if __name__ == "__main__":
    main()
