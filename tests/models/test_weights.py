"""Where pre-trained weights are looked for, and what is said where they are not."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import timm
from safetensors.torch import save

from classeur.errors import ModelError, WeightsError
from classeur.models import weights as room
from classeur.models.weights import fetched, find_weights, list_backbones

NAME = "test_efficientnet"


@pytest.fixture(autouse=True)
def no_weights_of_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(room.FOLDER, raising=False)


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., Path]:
    """`folder(mean=[0, 0, 0])`: a folder of weights with facts beside them."""

    def make(**facts: object) -> Path:
        (tmp_path / f"{NAME}.safetensors").write_bytes(b"")
        if facts:
            (tmp_path / f"{NAME}.json").write_text(json.dumps(facts))
        return tmp_path

    return make


def message_of(function: Callable[[], object]) -> str:
    with pytest.raises(WeightsError) as caught:
        function()
    return str(caught.value)


def test_a_folder_with_facts(folder: Callable[..., Path]) -> None:
    place = folder(
        input_size=[3, 96, 96], mean=[0.1, 0.2, 0.3], std=[0.4, 0.5, 0.6],
        interpolation="bilinear", crop_pct=0.9, model_args={"pad_type": "same", "depth": 2},
        licence="MIT", source="here", pretrained_on="flowers",
    )  # fmt: skip
    found = find_weights(NAME, str(place))
    assert found.file == place / f"{NAME}.safetensors"
    assert (found.size, found.interpolation, found.crop_pct) == (96, "bilinear", 0.9)
    assert (found.mean, found.std) == ((0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    assert found.arguments == ("depth=2", "pad_type=same")
    assert found.facts() == {
        "name": NAME, "pretrained_on": "flowers", "licence": "MIT", "source": "here",
    }  # fmt: skip


def test_without_facts_those_of_timm_hold(folder: Callable[..., Path]) -> None:
    found = find_weights(NAME, str(folder()))
    published = timm.models.get_pretrained_cfg(NAME)
    assert (found.size, found.mean) == (published.input_size[1], published.mean)
    assert found.interpolation == published.interpolation


def test_the_folder_of_the_environment(
    folder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(room.FOLDER, str(folder()))
    assert find_weights(NAME).file is not None
    assert find_weights("vgg16").source == "timm/vgg16.tv_in1k"


def test_a_file_of_any_name(tmp_path: Path) -> None:
    (tmp_path / "mine.safetensors").touch()
    assert find_weights(NAME, f"{tmp_path}/mine.safetensors").file == tmp_path / "mine.safetensors"


@pytest.mark.parametrize("place", ["", "gone.safetensors"])
def test_a_place_without_them(tmp_path: Path, place: str) -> None:
    where = tmp_path / place if place else tmp_path
    file = where if place else where / f"{NAME}.safetensors"
    assert message_of(lambda: find_weights(NAME, str(where))) == (
        f"{file} does not exist. Expected the weights of {NAME} there."
    )


def test_a_network_that_timm_has_not() -> None:
    with pytest.raises(ModelError, match=r'timm has no network "mobilenetv2_10"\. Did you mean'):
        find_weights("mobilenetv2_10")


def test_patterns() -> None:
    assert list_backbones("vgg1?") == ["vgg11", "vgg13", "vgg16", "vgg19"]
    assert len(list_backbones()) > 1000


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"mean": [0.5]}, "expected mean and std of three channels and an interpolation"),
        ({"interpolation": "cubic"}, "received (0.5, 0.5, 0.5), (0.5, 0.5, 0.5) and cubic."),
        ({"input_size": []}, "list index out of range"),
        ({"model_args": 3}, "'int' object has no attribute 'items'"),
    ],
)
def test_facts_that_are_wrong(
    folder: Callable[..., Path], facts: dict[str, Any], reason: str
) -> None:
    whole = {"mean": [0.5] * 3, "std": [0.5] * 3, "interpolation": "bilinear"} | facts
    place = folder(**whole)
    said = message_of(lambda: find_weights(NAME, str(place)))
    assert said.startswith(f"{place}/{NAME}.json does not describe weights: ")
    assert reason in said


def test_facts_that_are_no_json(folder: Callable[..., Path]) -> None:
    place = folder()
    (place / f"{NAME}.json").write_text("{")
    said = message_of(lambda: find_weights(NAME, str(place)))
    assert said.startswith(f"{place}/{NAME}.json cannot be read as JSON: ")


def test_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("Name or service not known")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(room.urllib.request, "getproxies", dict)
    found = find_weights("vgg16")
    assert found.file is None
    assert message_of(lambda: fetched(found)) == (
        "the weights of vgg16 are not at hand, and cannot be fetched (Name or service not known). "
        "Give a file or a folder with vgg16.safetensors by --weights or CLASSEUR_WEIGHTS, or try "
        "again with a network."
    )


def test_a_network_without_published_weights() -> None:
    assert message_of(lambda: find_weights("coatnet_0_224")).startswith(
        "the weights of coatnet_0_224 are not at hand, and cannot be fetched (timm publishes none "
    )


@pytest.fixture
def hub() -> Iterator[tuple[str, list[str], bytes]]:
    """A hub on loopback: its address, the requests it got, and the file it gives."""
    content = save(timm.create_model(NAME, num_classes=0).state_dict())
    asked: list[str] = []

    class Hub(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(f"{self.command} {self.path}")
            is_there = self.path == f"/timm/{NAME}.r160_in1k/resolve/main/model.safetensors"
            self.send_response(200 if is_there else 404)
            self.send_header("Content-Length", str(len(content) if is_there else 0))
            self.send_header("ETag", '"0123456789abcdef"')
            self.send_header("X-Repo-Commit", "0" * 40)
            self.end_headers()
            if is_there and self.command == "GET":
                self.wfile.write(content)

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Keep the test's output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", asked, content
    server.shutdown()
    server.server_close()


def test_the_hub(hub: tuple[str, list[str], bytes], tmp_path: Path) -> None:
    """In a process of its own: the hub's address is read once, when its library is loaded."""
    address, asked, content = hub
    code = f"""
from classeur.models.weights import fetched, find_weights
is_here = lambda: find_weights("{NAME}").file is not None
print(is_here(), fetched(find_weights("{NAME}")), is_here())
"""
    environment = {
        "PATH": "/usr/bin:/bin", "HF_ENDPOINT": address, "HF_HOME": str(tmp_path),
        "no_proxy": "127.0.0.1", "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_XET": "1",
        "PYTHONPATH": ":".join(sys.path),
    }  # fmt: skip
    for _ in range(2):  # the second time it is not asked for again
        result = subprocess.run(
            [sys.executable, "-c", code], check=False, capture_output=True, text=True,
            env=environment, timeout=300,
        )  # fmt: skip
        assert result.returncode == 0, result.stderr
        before, file, after = result.stdout.split()
        assert after == "True"
        assert Path(file).read_bytes() == content
    assert before == "True"
    assert sum(line.startswith("GET") for line in asked) == 1
