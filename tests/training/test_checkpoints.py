"""A checkpoint is whole or absent, and an optimizer comes back as it was."""

from pathlib import Path

import pytest
import torch

from anomend.training import checkpoints
from anomend.training.checkpoints import load_checkpoint, optimizer_tensors, restore_optimizer, save_checkpoint


def _trained(steps: int, model: torch.nn.Linear, optimizer: torch.optim.Optimizer) -> None:
    for step in range(steps):
        loss = (model(torch.full((1, 3), float(step % 4))) ** 2).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def _fresh() -> tuple[torch.nn.Linear, torch.optim.AdamW]:
    torch.manual_seed(0)
    model = torch.nn.Linear(3, 2)
    return model, torch.optim.AdamW(model.parameters(), 0.1)


def test_training_goes_on_from_a_checkpoint_as_if_it_had_not_stopped(tmp_path: Path) -> None:
    model, optimizer = _fresh()
    _trained(8, model, optimizer)

    half, half_optimizer = _fresh()
    _trained(4, half, half_optimizer)
    save_checkpoint(tmp_path, 4, {**half.state_dict(), **optimizer_tensors(half_optimizer)})
    resumed, resumed_optimizer = _fresh()
    checkpoint = load_checkpoint(tmp_path)
    assert checkpoint is not None and checkpoint[0] == 4
    resumed.load_state_dict({name: checkpoint[1][name] for name in resumed.state_dict()})
    restore_optimizer(resumed_optimizer, checkpoint[1])
    _trained(4, resumed, resumed_optimizer)
    assert torch.equal(resumed.weight, model.weight)


def test_the_newest_checkpoint_replaces_the_older(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, 5, {"x": torch.zeros(1)})
    save_checkpoint(tmp_path, 10, {"x": torch.ones(1)})
    checkpoint = load_checkpoint(tmp_path)
    assert checkpoint is not None
    assert checkpoint[0] == 10 and checkpoint[1]["x"].item() == 1
    assert len(list(tmp_path.iterdir())) == 1


def test_a_failed_write_leaves_the_previous_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_checkpoint(tmp_path, 5, {"x": torch.zeros(1)})

    def full_disk(tensors: object, path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoints, "save_file", full_disk)
    with pytest.raises(OSError, match="No space"):
        save_checkpoint(tmp_path, 10, {"x": torch.ones(1)})
    checkpoint = load_checkpoint(tmp_path)
    assert checkpoint is not None and checkpoint[0] == 5
    assert [path.suffix for path in tmp_path.iterdir()] == [".safetensors"]


def test_no_checkpoint_is_none(tmp_path: Path) -> None:
    assert load_checkpoint(tmp_path / "absent") is None


@pytest.mark.parametrize("size", [0, 100])
def test_a_broken_checkpoint_is_named_with_the_fix(tmp_path: Path, size: int) -> None:
    path = save_checkpoint(tmp_path, 5, {"x": torch.zeros(100)})
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(ValueError, match=rf"{path} is broken \(.*\): delete it, and training starts at step 0"):
        load_checkpoint(tmp_path)


def test_a_copy_next_to_a_checkpoint_is_left_alone(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, 5, {"x": torch.zeros(1)})
    copy = tmp_path / "state-0000005 (copy).safetensors"
    copy.write_bytes(b"")
    save_checkpoint(tmp_path, 10, {"x": torch.ones(1)})
    checkpoint = load_checkpoint(tmp_path)
    assert checkpoint is not None and checkpoint[0] == 10 and copy.exists()
