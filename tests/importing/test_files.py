"""Where a LoRA's file is found, and what is refused by its name or header: no pickle is ever opened."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import torch
from safetensors.torch import save, save_file

from anomend.importing.files import locate, read_header
from anomend.params.external import ExternalLoraParams
from tests.conftest import ROOT

WEIGHTS = {
    "transformer.proj_out.lora_A.weight": torch.ones(2, 3),
    "transformer.proj_out.lora_B.weight": torch.ones(4, 2),
}
COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Bomb:
    """Unpickled, it writes a file."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(Path(os.environ["BOMB"])),)


def external(file: Path | str, **further: str) -> ExternalLoraParams:
    return ExternalLoraParams(file=str(file), author="Ann", **further)


def test_the_header_is_that_of_the_safetensors_library(tmp_path: Path) -> None:
    save_file(WEIGHTS, tmp_path / "a.safetensors", {"a": "b"})
    shapes, metadata = read_header(tmp_path / "a.safetensors", "train.external")
    assert shapes == {key: tuple(value.shape) for key, value in WEIGHTS.items()} and metadata == {"a": "b"}


@pytest.mark.parametrize("name", ["a.pt", "a.bin", "a.ckpt", "a.safetensors", "folder"])
def test_a_pickle_is_refused_unopened(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOMB", str(tmp_path / "exploded"))
    path = tmp_path / name
    if name == "folder":
        path.mkdir()
    (path / "adapter_model.bin" if name == "folder" else path).write_bytes(pickle.dumps(Bomb()))
    words = "cannot be read as safetensors" if name == "a.safetensors" else "is a pickle, which can run any code"
    with pytest.raises(ValueError, match=rf"^sample\.against\.file.* {words}.*: get the LoRA as a \.safetensors file"):
        locate(external(path), "sample.against")
    assert not (tmp_path / "exploded").exists()


def test_a_folder_is_pefts_or_has_one_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is not on this machine"):
        locate(external(tmp_path / "absent.safetensors"), "train.external")
    save_file(WEIGHTS, tmp_path / "a.safetensors")
    assert locate(external(tmp_path), "train.external").path == tmp_path / "a.safetensors"
    save_file(WEIGHTS, tmp_path / "b.safetensors")
    with pytest.raises(ValueError, match="is a folder with 2 LoRAs: name the file"):
        locate(external(tmp_path), "train.external")
    save_file(WEIGHTS, tmp_path / "adapter_model.safetensors")
    (tmp_path / "adapter_config.json").write_text('{"lora_alpha": 3}')
    found = locate(external(tmp_path), "train.external")
    assert found.path.name == "adapter_model.safetensors" and found.peft_config == {"lora_alpha": 3}
    # Of a single file nothing else counts, for nothing else would make the stage run again.
    assert locate(external(found.path), "train.external").peft_config is None
    (tmp_path / "adapter_config.json").write_text("[]")
    with pytest.raises(ValueError, match=r"adapter_config\.json is not a JSON object"):
        locate(external(tmp_path), "train.external")


@pytest.fixture
def hub() -> Iterator[str]:
    """A hub that has one repository at one commit, with PEFT's two files."""
    files = {"lora/adapter_model.safetensors": save(WEIGHTS), "lora/adapter_config.json": b'{"lora_alpha": 6, "r": 2}'}

    class Hub(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            content = files.get(self.path.removeprefix(f"/ann/lora/resolve/{COMMIT}/"))
            self.send_response(404 if content is None else 200)
            if content is None:
                self.send_header("X-Error-Code", "EntryNotFound")
            else:
                self.send_header("X-Repo-Commit", COMMIT)
                self.send_header("ETag", f'"{hashlib.sha1(content).hexdigest()}"')
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            if content is not None and self.command == "GET":
                self.wfile.write(content)

        do_GET = do_HEAD

        def log_message(self, *_words: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def asked(tmp_path: Path, endpoint: str, file: str) -> subprocess.CompletedProcess[str]:
    code = (
        "import json, sys; from anomend.importing.files import locate; "
        "from anomend.params.external import ExternalLoraParams as P; "
        f"f = locate(P(file={file!r}, repository='ann/lora', revision={COMMIT!r}), 'train.external'); "
        "print(json.dumps([sorted(f.shapes), f.peft_config, f.path.stat().st_size]))"
    )
    environment = os.environ | {"HF_ENDPOINT": endpoint, "HF_HUB_OFFLINE": "0", "HF_HOME": str(tmp_path / "hf")}
    environment |= {"HF_HUB_DISABLE_XET": "1", "HF_HUB_DOWNLOAD_TIMEOUT": "5"}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_a_file_of_the_hub_is_that_of_its_commit_with_pefts_configuration(tmp_path: Path, hub: str) -> None:
    done = asked(tmp_path, hub, "lora/adapter_model.safetensors")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [sorted(WEIGHTS), {"lora_alpha": 6, "r": 2}, len(save(WEIGHTS))]
    missing = asked(tmp_path, hub, "lora/other.safetensors")
    assert "train.external: lora/other.safetensors of ann/lora at 0123456789ab is not in the" in missing.stderr
    # What was fetched once needs no hub.
    again = asked(tmp_path, "http://127.0.0.1:9", "lora/adapter_model.safetensors")
    assert again.returncode == 0 and again.stdout == done.stdout
