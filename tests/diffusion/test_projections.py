"""Misspelt projections are refused by name, and the table has those that diffusers' transformer has."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from anomend.diffusion.base_models import family_of_base
from anomend.diffusion.lora import add_lora
from anomend.diffusion.projections import refuse_unknown_targets
from anomend.families.sd3 import FAMILY, IN_BLOCK, OUTSIDE
from anomend.params.profiles import read_profile
from tests.conftest import ROOT
from tests.diffusion.tiny import tiny_transformer
from tests.parameters import PROFILES


def test_each_misspelt_projection_is_listed_with_what_comes_close() -> None:
    transformer = tiny_transformer()
    with pytest.raises(ValueError) as refused:
        add_lora(transformer, rank=2, alpha=2, target_modules=["to_q", "to_kk", "ff_context.net.0.projj"])
    said = str(refused.value)
    assert "'to_kk' (did you mean to_k" in said
    assert "'ff_context.net.0.projj' (did you mean ff_context.net.0.proj" in said
    assert "'to_q'" not in said and len(said.splitlines()) == 1
    assert not hasattr(transformer, "peft_config")


def test_a_module_that_is_not_a_projection_is_refused_too() -> None:
    with pytest.raises(ValueError, match=r"train\.target_modules") as refused:
        add_lora(tiny_transformer(), rank=2, alpha=2, target_modules=["to_q", "transformer_blocks"])
    assert len(str(refused.value).splitlines()) == 1 and len(str(refused.value)) < 300


@pytest.mark.parametrize("number", ["0", "2"])
def test_a_number_that_would_choose_whole_blocks_is_refused_before_anything_is_drawn(number: str) -> None:
    with pytest.raises(ValueError, match=rf"train\.target_modules names '{number}', which it does not have"):
        refuse_unknown_targets(["to_q", number], FAMILY.projections(), "it")


def test_the_table_is_that_of_diffusers_transformer() -> None:
    transformer = tiny_transformer(dual_attention_layers=(0,), num_layers=3)
    layers = (torch.nn.Linear, torch.nn.Conv2d)
    modules = [name for name, module in transformer.named_modules() if isinstance(module, layers)]
    in_blocks = {name.split(".", 2)[2] for name in modules if name.startswith("transformer_blocks.")}
    assert in_blocks == set(IN_BLOCK)
    assert {name for name in modules if not name.startswith("transformer_blocks.")} == set(OUTSIDE)


@pytest.mark.parametrize("path", PROFILES.rglob("*.yaml"), ids=lambda path: path.stem)
def test_the_projections_of_every_profile_are_in_the_table(path) -> None:  # type: ignore[no-untyped-def]
    name = path.relative_to(PROFILES).with_suffix("").as_posix()
    values = read_profile(name, PROFILES)
    projections = family_of_base(values["base"]["name"]).projections()
    refuse_unknown_targets(values["train"]["target_modules"], projections, "it")


def test_names_of_one_block_are_accepted_and_of_a_part_of_a_name_refused() -> None:
    refuse_unknown_targets(["transformer_blocks.37.attn.to_q", "attn.to_q", "proj"], FAMILY.projections(), "it")
    with pytest.raises(ValueError, match=r"'o_q' \(did you mean to_q"):
        refuse_unknown_targets(["o_q"], FAMILY.projections(), "it")
    with pytest.raises(ValueError, match=r"names 'xxx', 'zzz', which it does not have: .* leave them out"):
        refuse_unknown_targets(["xxx", "zzz"], FAMILY.projections(), "it")


def test_resolve_refuses_them_before_anything_is_drawn_without_loading_torch() -> None:
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from anomend.params.profiles import resolve\n"
        "from anomend.pipeline.checks import check_before_run\n"
        "params = resolve({'profile': 'mini', 'train': {'target_modules': ['to_kk']}}, Path('profiles'))\n"
        "try:\n"
        "    check_before_run(params, root=Path(), prices=Path('data/prices.csv'),\n"
        "        retired_models=Path('data/retired_models.csv'))\n"
        "except ValueError as error:\n"
        "    print(error)\n"
        "assert 'torch' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("train.target_modules names 'to_kk' (did you mean to_k")
