"""The export for other trainers: captions beside pictures, pairs of one prompt, and configurations with their keys."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from anomend.exporting.trainer_configs import differences, refuse_unexportable
from anomend.exporting.trainer_data import Counts, write_pictures
from anomend.pictures.image_sets import ImageFolderWriter
from anomend.project.files import sha256_of
from commands.export_data import main
from tests.parameters import params_of, user_params, write_params

PROMPTS = ["lying on the grass", "lying on the street"]


def image_set(folder: Path, prompts: list[str], level: int, **about: Any) -> None:
    writer = ImageFolderWriter(folder)
    for index, prompt in enumerate(prompts):
        image = np.full((16, 16, 3), level + index, dtype=np.uint8)
        writer.add(f"{index:04d}.png", image, text=prompt, prompt=prompt, seed=index, **about)
    writer.close()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run's image sets: three instance images, two class images, three losers."""
    monkeypatch.chdir(tmp_path)
    image_set(tmp_path / "data/instance", [PROMPTS[0], PROMPTS[1], PROMPTS[0]], 10, source="folder")
    image_set(tmp_path / "data/class_images", ["standing\non the beach"] * 2, 100, source="base")
    image_set(tmp_path / "data/losers", [PROMPTS[0], PROMPTS[0], PROMPTS[1]], 200, source="base")
    return tmp_path


def written(folder: Path, project: Path, **train: Any) -> tuple[dict[str, Any], list[dict[str, Any]], dict[str, Any]]:
    user = user_params()
    user["train"] |= train
    write_params(project, params_of(user))
    main([str(folder)])
    config, backends = (
        json.loads((folder / "simpletuner" / name).read_text()) for name in ("config.json", "multidatabackend.json")
    )
    return config, backends, yaml.safe_load((folder / "ai-toolkit/config.yaml").read_text())


def test_each_picture_has_its_caption_in_one_line_and_its_own_bytes(project: Path) -> None:
    written(project / "out", project)
    for name, source, captions in (
        ("instance", "instance", [PROMPTS[0], PROMPTS[1], PROMPTS[0]]),
        ("class", "class_images", ["standing on the beach"] * 2),
    ):
        folder = project / "out" / name
        assert [path.read_text() for path in sorted(folder.glob("*.txt"))] == [f"{text}\n" for text in captions]
        pictures, originals = sorted(folder.glob("*.png")), sorted((project / "data" / source).glob("*.png"))
        assert [sha256_of(path) for path in pictures] == [sha256_of(path) for path in originals]
        assert [path.stem for path in pictures] == [path.stem for path in sorted(folder.glob("*.txt"))]


def test_a_pair_has_one_prompt_and_one_name(project: Path) -> None:
    written(project / "out", project)
    right, wrong = (project / "out/pairs" / name for name in ("right", "wrong"))
    assert sorted(path.name for path in right.iterdir()) == sorted(path.name for path in wrong.iterdir())
    assert [path.read_text() for path in sorted(right.glob("*.txt"))] == [
        path.read_text() for path in sorted(wrong.glob("*.txt"))
    ]
    # The losers of a prompt are taken in turn, so that none is left out.
    assert len({sha256_of(path) for path in wrong.glob("*.png")}) == 3


def test_a_planted_loser_goes_with_its_own_image(tmp_path: Path) -> None:
    image_set(tmp_path / "instance", [PROMPTS[0]] * 3, 10, source="drawn_people")
    writer = ImageFolderWriter(tmp_path / "losers")
    for name, seed in (("a.png", 2), ("b.png", 0)):
        image = np.full((16, 16, 3), 200 + seed, dtype=np.uint8)
        writer.add(name, image, text=PROMPTS[0], prompt=PROMPTS[0], seed=seed, source="planted")
    writer.close()
    counts = write_pictures(
        tmp_path / "out", instance=tmp_path / "instance", class_images=tmp_path / "none", losers=tmp_path / "losers"
    )
    assert counts == Counts(instance=3, class_images=0, pairs=2)
    pairs = [
        (
            sha256_of(tmp_path / f"out/pairs/right/{index:04d}.png"),
            sha256_of(tmp_path / f"out/pairs/wrong/{index:04d}.png"),
        )
        for index in range(2)
    ]
    own = {name: sha256_of(tmp_path / name) for name in ("instance/0000.png", "instance/0002.png", "losers/a.png")}
    assert pairs[0] == (own["instance/0000.png"], sha256_of(tmp_path / "losers/b.png"))
    assert pairs[1] == (own["instance/0002.png"], own["losers/a.png"])


def test_simpletuner_trains_on_the_same_with_the_same(project: Path) -> None:
    config, backends, _ = written(project / "out", project, rank=8, alpha=4, micro_batch_size=4)
    assert config["model_family"] == "sd3" and config["model_type"] == "lora" and config["lora_type"] == "standard"
    assert (config["lora_rank"], config["lora_alpha"], config["max_train_steps"]) == (8, 4, 300)
    # Eight instance and four class images a step.
    assert config["train_batch_size"] * config["gradient_accumulation_steps"] == 12
    sets = {each["id"]: each for each in backends}
    assert Path(sets["instance"]["instance_data_dir"]) == project / "out/instance"
    assert sets["instance"]["caption_strategy"] == "textfile" and sets["instance"]["resolution"] == 64
    assert (sets["instance"]["probability"], sets["class"]["probability"]) == pytest.approx((2 / 3, 1 / 3), abs=1e-6)
    assert sets["texts"]["dataset_type"] == "text_embeds" and sets["texts"]["default"]
    assert config["data_backend_config"] == str(project / "out/simpletuner/multidatabackend.json")


def test_pairs_are_those_of_flow_dpo(project: Path) -> None:
    dpo = {"method": "dpo", "class_batch_size": 4}
    config, backends, _ = written(project / "out", project, **dpo)
    assert config["distillation_method"] == "flow_dpo"
    assert (
        config["distillation_config"]["flow_dpo"]["beta"] == 100
        and not config["distillation_config"]["flow_dpo"]["auto_beta"]
    )
    right, wrong, _ = backends
    assert right["conditioning_data"] == ["wrong"] and wrong["source_dataset_id"] == "right"
    assert (wrong["dataset_type"], wrong["conditioning_type"]) == ("conditioning", "reference_strict")
    params = params_of({**user_params(), "train": user_params()["train"] | dpo})
    said = " ".join(differences(params, Counts(instance=3, class_images=2, pairs=3)))
    assert "ai-toolkit has no training by pairs" in said and "leaves the class images out" in said


def test_ai_toolkit_has_class_images_as_regularisation(project: Path) -> None:
    _, _, config = written(project / "out", project, rank=8)
    (process,) = config["config"]["process"]
    assert config["job"] == "extension" and process["type"] == "sd_trainer" and process["model"]["arch"] == "sd3"
    # For this family it takes alpha = rank, and leaves alpha out of the file.
    assert process["network"] | {"network_kwargs": 0} == {
        "type": "lora", "linear": 8, "linear_alpha": 8, "network_kwargs": 0,
    }  # fmt: skip
    assert [Path(each["folder_path"]).name for each in process["datasets"]] == ["instance", "class"]
    assert Counter(each["is_reg"] for each in process["datasets"]) == {False: 1, True: 1}
    assert process["train"]["noise_scheduler"] == "flowmatch" and process["train"]["steps"] == 300


def test_what_could_not_come_back_and_a_full_folder_are_refused(project: Path, tmp_path: Path) -> None:
    written(project / "out", project)
    with pytest.raises(ValueError, match=r"out/instance has files already: name a new folder"):
        main([str(project / "out")])
    user = user_params()
    user["train"]["use_dora"] = True
    with pytest.raises(ValueError, match=r"train\.use_dora = true, and only plain LoRAs"):
        refuse_unexportable(params_of(user))
