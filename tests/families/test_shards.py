"""Weights of a base in several files with an index, as the hub has them for large ones; seconds."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from anomend.diffusion.base_models import family_of_base, fingerprint, load_pipeline
from tests.families.tiny_bases import BASES


@pytest.mark.parametrize("name", BASES)
def test_all_shards_are_loaded_and_pin_the_base(name: str, tmp_path: Path) -> None:
    torch.manual_seed(3)
    made = BASES[name].make()
    made.save_pretrained(tmp_path, max_shard_size="8KB")
    shards = sorted((tmp_path / "transformer").glob("*-of-*.safetensors"))
    assert len(shards) > 1 and list((tmp_path / "transformer").glob("*.safetensors.index.json"))
    (text_encoder, _) = family_of_base(name).large_text_encoder
    assert len(list((tmp_path / text_encoder).glob("*-of-*.safetensors"))) > 1
    loaded = load_pipeline(name, str(tmp_path), "float32")
    for part in ("transformer", text_encoder, "vae"):
        expected, found = (getattr(each, part).state_dict() for each in (made, loaded))
        assert found.keys() == expected.keys()
        assert all(torch.equal(found[key], value) for key, value in expected.items())
    before = fingerprint(name, str(tmp_path))
    content = bytearray(shards[-1].read_bytes())
    content[-1] ^= 1
    shards[-1].write_bytes(content)
    assert fingerprint(name, str(tmp_path)) != before
    shards[-1].unlink()
    with pytest.raises(Exception, match=rf"{shards[-1].name}|shard"):
        load_pipeline(name, str(tmp_path), "float32")
