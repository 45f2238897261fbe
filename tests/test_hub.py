"""Checkpoints by name: fetched from a hub that speaks the protocol of the Hugging Face Hub."""

from __future__ import annotations

import hashlib
import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import unquote, urlsplit

import jax
import numpy as np
import pytest
from emitting import load, text_of
from flax import nnx

pytest.importorskip("safetensors")
hub = pytest.importorskip("huggingface_hub")

SPEC = """
model Net(d = 4, layers = 2):
    input x: [B, d]
    for i in range(layers):
        x = x -> Linear(d) as layer
    return x

weights Net from "{path}":
    config d, layers = "hidden_size", "num_layers"
"""
NAME = "someone/net-1.0"


@pytest.fixture(scope="module")
def net() -> ModuleType:
    return load(text_of(SPEC, black=False))


class Hub(ThreadingHTTPServer):
    """A repository at some commits: the files of each, and what was asked for."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.commits: dict[str, dict[str, bytes]] = {}
        self.names = {"main": ""}
        self.fetched: list[str] = []

    def add(self, files: dict[str, bytes], name: str = "main") -> None:
        """A commit that `name` points to."""
        commit = hashlib.sha1(repr(sorted(files.items())).encode()).hexdigest()
        self.commits[commit], self.names[name] = files, commit

    def commit(self, revision: str) -> str:
        return self.names.get(revision, revision)


class Answer(BaseHTTPRequestHandler):
    """What the hub answers: lists of files, and files."""

    server: Hub

    def do_GET(self) -> None:
        self.answer(True)

    def do_HEAD(self) -> None:
        self.answer(False)

    def answer(self, whole: bool) -> None:
        parts = unquote(urlsplit(self.path).path).strip("/").split("/")
        match parts:
            case ["api", "models", *name, "revision", revision] if (
                "/".join(name) == NAME
            ):
                self.listed(self.server.commit(revision))
            case ["api", "models", *name, "tree", revision] if "/".join(name) == NAME:
                self.tree(self.server.commit(revision))
            case [one, two, "resolve", revision, *file] if f"{one}/{two}" == NAME:
                self.file(self.server.commit(revision), "/".join(file), whole)
            case _:
                self.say(404, b"{}", {"X-Error-Code": "RepoNotFound"})

    def listed(self, commit: str) -> None:
        if commit not in self.server.commits:
            self.say(404, b"{}", {"X-Error-Code": "RevisionNotFound"})
            return
        siblings = [{"rfilename": name} for name in self.server.commits[commit]]
        self.say(
            200, json.dumps({"id": NAME, "sha": commit, "siblings": siblings}).encode()
        )

    def tree(self, commit: str) -> None:
        files = self.server.commits[commit].items()
        entries = [
            {
                "type": "file",
                "path": n,
                "size": len(b),
                "oid": hashlib.sha1(b).hexdigest(),
            }
            for n, b in files
        ]
        self.say(200, json.dumps(entries).encode())

    def file(self, commit: str, name: str, whole: bool) -> None:
        body = self.server.commits[commit][name]
        if whole:
            self.server.fetched.append(name)
        tag = f'"{hashlib.sha1(body).hexdigest()}"'
        more = {"ETag": tag, "X-Repo-Commit": commit, "Accept-Ranges": "bytes"}
        self.say(200, body, more)

    def say(self, status: int, body: bytes, more: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for key, value in {"Content-Length": str(len(body)), **(more or {})}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub on this machine, which `huggingface_hub` asks, with a cache of its own."""
    started = Hub()
    threading.Thread(target=started.serve_forever, daemon=True).start()
    endpoint = f"http://127.0.0.1:{started.server_port}"
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr(hub, "snapshot_download", at(endpoint, tmp_path / "cache"))
    yield started
    started.shutdown()
    started.server_close()


def at(endpoint: str, cache: Path) -> Any:
    """`snapshot_download` as it is, from an endpoint."""
    real = hub.snapshot_download

    def fetch(*args: Any, **options: Any) -> Any:
        return real(*args, **options, endpoint=endpoint, cache_dir=cache)

    return fetch


def files_of(
    net: ModuleType, folder: Path, seed: int = 0, **sizes: int
) -> dict[str, bytes]:
    """A checkpoint as a folder has it."""
    cfg = net.Config(**sizes)
    net.save_pretrained(net.Net(cfg, rngs=nnx.Rngs(seed)), folder, cfg)
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def weights(model: Any) -> list[Any]:
    return jax.tree.leaves(nnx.state(model, nnx.Param))


def test_a_name_is_fetched_once(net: ModuleType, server: Hub, tmp_path: Path) -> None:
    own = files_of(net, tmp_path / "own", d=3)
    other = {
        "pytorch_model.bin": b"no",
        "README.md": b"no",
        "onnx/model.safetensors": b"no",
    }
    server.add({**own, **other})
    model = net.load_pretrained(NAME)
    assert sorted(server.fetched) == ["config.json", "model.safetensors"]
    assert net.read_config(NAME) == net.Config(d=3)
    for a, b in zip(
        weights(model), weights(net.load_pretrained(tmp_path / "own")), strict=True
    ):
        np.testing.assert_array_equal(a, b)
    assert len(server.fetched) == 2  # kept


def test_a_revision(net: ModuleType, server: Hub, tmp_path: Path) -> None:
    server.add(files_of(net, tmp_path / "a", layers=3))
    server.add(files_of(net, tmp_path / "b", layers=1), "v1")
    assert len(net.load_pretrained(NAME).layer) == 3
    assert len(net.load_pretrained(NAME, revision="v1").layer) == 1
    with pytest.raises(FileNotFoundError, match=f"there is no checkpoint {NAME}"):
        net.load_pretrained(NAME, revision="v2")


def test_of_several_files_those_of_the_index(
    net: ModuleType, server: Hub, tmp_path: Path
) -> None:
    own = files_of(net, tmp_path / "own")
    names = [f"layer.{i}.{part}" for i in range(2) for part in ("weight", "bias")]
    index = {"weight_map": dict.fromkeys(names, "model-1.safetensors")}
    server.add(
        {
            "config.json": own["config.json"],
            "model-1.safetensors": own["model.safetensors"],
            "consolidated.safetensors": b"another form of the same",
            "model.safetensors.index.json": json.dumps(index).encode(),
        }
    )
    net.load_pretrained(NAME)
    assert "consolidated.safetensors" not in server.fetched
    assert "model-1.safetensors" in server.fetched


def test_a_folder_of_a_repository(net: ModuleType, server: Hub, tmp_path: Path) -> None:
    own = files_of(net, tmp_path / "own", d=3)
    inner = {f"vae/{name}": body for name, body in own.items()}
    more = {"vae/old/model.safetensors": b"no", "model.safetensors": b"no"}
    server.add({**inner, **more, "config.json": b"{}"})
    assert net.load_pretrained(f"{NAME}/vae").layer[0].kernel.shape == (3, 3)
    assert net.read_config(f"{NAME}/vae/") == net.Config(d=3)
    assert sorted(server.fetched) == ["vae/config.json", "vae/model.safetensors"]
    with pytest.raises(FileNotFoundError):
        net.load_pretrained(f"{NAME}/unet")


def test_what_the_hub_has_not(net: ModuleType, server: Hub) -> None:
    with pytest.raises(
        FileNotFoundError, match="there is no checkpoint nobody/nothing"
    ):
        net.load_pretrained("nobody/nothing")
    for path in ("a/b/c", "../x", "x", Path("nobody/nothing")):
        with pytest.raises(FileNotFoundError):
            net.load_pretrained(path)
    assert not server.fetched


def test_a_path_goes_before_a_name(
    net: ModuleType, server: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    files_of(net, tmp_path / NAME)
    net.load_pretrained(NAME)
    assert not server.fetched


def test_without_the_package(net: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ImportError, match="install huggingface_hub"):
        net.load_pretrained(NAME)
