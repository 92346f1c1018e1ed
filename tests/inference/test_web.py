"""The exported page answers in a browser as the predictor does, and asks nobody else."""

from __future__ import annotations

import json
import re
import shutil
import stat
import tarfile
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests.chromium import PROGRAM, Chromium

from classeur.cli.export import _summary
from classeur.config import ModelConfig
from classeur.data.geometry import Geometry
from classeur.data.reader import sha256
from classeur.errors import InferenceError
from classeur.inference.export import browser as browsers
from classeur.inference.export import export, photos, proof, runtime, web_files
from classeur.inference.export.photos import Sample, made_photos
from classeur.inference.export.proof import prove_in_browser
from classeur.inference.predictor import Predictor
from classeur.models.abstention import Abstention, Level
from classeur.models.classifier import Classifier
from classeur.models.preprocessing import Preprocessing
from classeur.run_folder import RunFolder

needs_chromium = pytest.mark.skipif(PROGRAM is None, reason="needs Chromium")
LONG = ("6000×4000 JPEG", "1600×1200 JPEG")


@pytest.fixture(scope="module")
def package(request: pytest.FixtureRequest) -> Path:
    """The package of ONNX Runtime Web, kept between test runs."""
    assert request.config.cache is not None
    folder = request.config.cache.mkdir("onnxruntime-web")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLASSEUR_CACHE", str(folder))
        try:
            runtime.runtime()
        except InferenceError as error:
            pytest.skip(str(error))
    return folder / f"{runtime.PACKAGE}.tgz"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A run of the kernel that is cheapest to trace, which can promise 5 % of wrong answers."""
    torch.manual_seed(0)
    preprocessing = Preprocessing(
        Geometry(16, interpolation="nearest"), (0.5, 0.4, 0.3), (0.2, 0.2, 0.2)
    )
    classifier = Classifier.create(ModelConfig("conv1"), ["ape", "bee", "cat"], preprocessing)
    levels = (Level(0.01, None, 0.0, 0, 0, 299), Level(0.05, 0.999, 0.1, 90, 1, 0))
    classifier.abstention = Abstention(100, levels)
    run = RunFolder(tmp_path_factory.mktemp("runs") / "pets")
    run.path.mkdir()
    run.config.touch()
    classifier.save_facts(run)
    classifier.save_weights(run)
    return run


@pytest.fixture(scope="module")
def page(run: RunFolder, package: Path) -> Path:
    """The exported folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(runtime.VARIABLE, str(package))
        kept = {name: make for name, make in photos._MADE.items() if name not in LONG}
        patch.setattr(photos, "_MADE", kept)
        found = export(run.path, "web")
    assert {name.partition("/")[0] for name in found.files} == {
        "README.txt", "index.html", "licences", "model.json", "model.onnx", "web", "proof.json",
    }  # fmt: skip
    if PROGRAM:
        assert found.browser is not None
        assert found.browser.proof.worst < 1e-5
        assert found.browser.refused == []
        assert len(found.browser.proof.rows) == len(found.proof.rows)
        assert "Chrome/" in _summary(found)
    return found.folder


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None: ...


@pytest.fixture(scope="module")
def address(page: Path) -> Iterator[str]:
    """The folder behind the plainest of servers."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(page)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Two photos, one of them to be turned, and a text."""
    y, x = np.mgrid[0:60, 0:90] / 90
    pictures = [
        Image.fromarray((255 * np.stack(bands, 2)).clip(0, 255).astype(np.uint8))
        for bands in ((x, y, 1 - x), (1 - y, 0 * x, x * x), (np.sin(9 * x) ** 2, y, y))
    ]
    turned = Image.Exif()
    turned[0x0112] = 6
    names = [tmp_path / name for name in ("one.png", "two.jpg", "three.webp", "text.jpg")]
    pictures[0].save(names[0])
    pictures[1].save(names[1], exif=turned, quality=95)
    pictures[2].save(names[2], quality=90)
    names[3].write_text("no photo")
    return names


SHOWN = "document.getElementById('take')?.hidden === false"
STATUS = "document.getElementById('status').textContent"
LABELS = "[...document.querySelectorAll('.card .label')].map((p) => p.textContent)"
MARKS = "[...document.querySelectorAll('.marks')].map((p) => p.textContent)"


def choose_level(browser: Chromium, value: str) -> None:
    browser.evaluate(
        "(() => { const o = document.getElementById('allowed');"
        f"o.value = '{value}'; o.dispatchEvent(new Event('change')); }})()"
    )


@pytest.mark.slow
@needs_chromium
def test_the_page_answers_as_the_predictor(run: RunFolder, address: str, files: list[Path]) -> None:
    expected = list(Predictor.load(run.path).predict(files[:3], max_error=0.05))
    with Chromium() as browser:
        browser.go(address)
        browser.wait_for(SHOWN)
        assert browser.evaluate("document.querySelector('h1').textContent") == "pets"
        assert "nothing is uploaded" in browser.evaluate("document.body.innerText")
        assert "OpenAPI" not in browser.evaluate("document.body.innerText")
        browser.choose("#files", files)
        browser.wait_for(f"{STATUS}.includes('could not')")
        assert browser.evaluate(STATUS) == "3 photos classified, 1 could not be."
        assert browser.evaluate(LABELS) == [
            *(one.label for one in expected), "This file is no photo that this browser can open.",
        ]  # fmt: skip
        shares = browser.evaluate(
            "[...document.querySelectorAll('.bar i')].map((i) => parseFloat(i.style.width) / 100)"
        )
        assert shares == pytest.approx([p for one in expected for _, p in one.top], abs=1e-4)
        assert browser.evaluate(MARKS) == [""] * 4
        choose_level(browser, "0")
        assert browser.evaluate(MARKS) == [
            f"Unsure. It may be: {', '.join(one.possible)}." if one.unsure else ""
            for one in expected
        ] + [""]  # fmt: skip
        assert any(one.unsure for one in expected)
        choose_level(browser, "")
        assert browser.evaluate(MARKS) == [""] * 4
        assert browser.complaints == []


@pytest.mark.slow
@needs_chromium
def test_the_page_in_french_on_a_phone(address: str, files: list[Path]) -> None:
    with Chromium("fr-FR") as browser:
        browser.resize(390, 800, dark=True)
        browser.go(address)
        browser.wait_for(SHOWN)
        browser.evaluate("document.getElementById('camera').click()")
        browser.wait_for("document.getElementById('video').videoWidth > 0")
        browser.evaluate("document.getElementById('shoot').click()")
        browser.wait_for(f"{STATUS}.startsWith('1 photo classée')")
        browser.choose("#files", files[3:])
        browser.wait_for(f"{STATUS}.includes('sans réponse')")
        assert browser.evaluate(LABELS)[1] == (
            "Fichier illisible : « ce navigateur ne sait pas ouvrir cette photo »."
        )
        assert browser.evaluate("document.documentElement.scrollWidth") <= 390
        assert browser.complaints == []


@pytest.mark.slow
@needs_chromium
def test_a_page_that_answers_otherwise_fails(run: RunFolder, page: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "page"
    shutil.copytree(page, wrong)
    worker = (wrong / "web" / "worker.js").read_text()
    swapped = worker.replace("found[to] = data[from]", "found[to] = data[from + 2]")
    (wrong / "web" / "worker.js").write_text(swapped)
    found = prove_in_browser(Predictor.load(run.path), wrong, list(made_photos())[:3])
    assert found is not None
    assert re.match(r"in HeadlessChrome/[\d.]+, made: EXIF orientation 3: ", found.failures[0])


@pytest.mark.slow
@needs_chromium
def test_what_the_browser_cannot_open_is_named(
    run: RunFolder, page: Path, encode: Callable[..., bytes], draw: Callable[..., Image.Image]
) -> None:
    predictor = Predictor.load(run.path)
    tiff, pixels = encode(draw(), "TIFF"), np.asarray(draw(1))
    samples = [Sample("a.tif", tiff), Sample("row 3", pixels), Sample("empty", b"")]
    found = prove_in_browser(predictor, page, samples)
    assert found is not None
    assert (found.refused, [row.photo for row in found.proof.rows]) == (["a.tif"], ["row 3"])
    assert (found.failures, found.proof.worst < 1e-5) == ([], True)
    none = prove_in_browser(predictor, page, samples[:1])
    assert none is not None
    assert none.failures == [f"{none.program} could open none of 1 photos"]


@pytest.mark.slow
@needs_chromium
def test_a_page_that_does_not_work_fails(run: RunFolder, page: Path, tmp_path: Path) -> None:
    broken = tmp_path / "page"
    shutil.copytree(page, broken)
    (broken / "model.onnx").write_bytes(b"no network")
    with pytest.raises(InferenceError, match=r"the page fails in HeadlessChrome/[\d.]+: .+\."):
        prove_in_browser(Predictor.load(run.path), broken, made_photos())


@pytest.mark.slow
def test_without_a_browser_the_proof_says_so(
    run: RunFolder, page: Path, package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from classeur.inference.export.onnx_files import BATCH, runner

    def copied(_: object, folder: Path, __: object) -> object:
        shutil.copyfile(page / "model.onnx", folder / "model.onnx")
        (folder / BATCH).touch()
        return runner(folder / "model.onnx")

    some = {name: photos._MADE[name] for name in ("1×1", "grey JPEG")}
    monkeypatch.setattr(photos, "_MADE", some)
    monkeypatch.setattr(web_files, "write_onnx", copied)
    monkeypatch.setattr(proof, "browser_program", lambda: None)
    monkeypatch.setenv(runtime.VARIABLE, str(package))
    found = export(run.path, "web", to=tmp_path / "page")
    assert found.browser is None
    record = json.loads((found.folder / "proof.json").read_text())
    assert record["holds"]
    assert record["browser"] == {
        "program": None,
        "note": "no Chromium was there: the graph is proved, the page is not",
    }
    assert "no Chromium was found that starts: the network is proved" in _summary(found)
    monkeypatch.setattr(browsers, "START", 1)
    silent = program(tmp_path / "browser", "exit 1")
    monkeypatch.setattr(proof, "browser_program", lambda: str(silent))
    assert prove_in_browser(Predictor.load(run.path), found.folder, []) is None


@pytest.mark.slow
def test_the_page_asks_no_other_site(page: Path) -> None:
    text = (page / "index.html").read_text(encoding="utf-8")
    assert "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'" in text
    assert "This page needs a server: run python -m http.server in its folder" in text
    assert not re.search(r"https?://", text)
    for link in re.findall(r'(?:src|href)="([^"]+)"', text):
        assert link == "openapi.json" or (page / link).is_file()
    for script in (page / "web").glob("*.js"):
        if script.name != "onnxruntime.js":
            source = script.read_text(encoding="utf-8")
            assert "://" not in source
            for module in re.findall(r'from "\./([^"]+)"', source):
                assert (page / "web" / module).is_file()
    facts = json.loads((page / "model.json").read_text(encoding="utf-8"))
    assert facts["class_names"] == ["ape", "bee", "cat"]
    assert facts["levels"] == [{"max_error": 0.05, "below": 0.999, "possible_from": 0.1}]
    assert [file.name for file in sorted((page / "licences").iterdir())] == [
        "onnxruntime-LICENSE.txt", "onnxruntime-ThirdPartyNotices.txt",
    ]  # fmt: skip


# ------------------------------------------------------------------- ONNX Runtime Web from npm


def program(path: Path, script: str) -> Path:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of two small files, which npm brings."""
    folder = tmp_path / "package"
    (folder / "dist").mkdir(parents=True)
    wanted = {}
    for name, (own, _) in runtime.FILES.items():
        (folder / name).write_text(own)
        wanted[name] = (own, sha256(own.encode()))
    monkeypatch.setattr(runtime, "FILES", wanted)
    package = tmp_path / f"{runtime.PACKAGE}.tgz"
    with tarfile.open(package, "w:gz") as archive:
        archive.add(folder, "package")
    monkeypatch.setattr(runtime, "INTEGRITY", runtime.integrity(package))
    (tmp_path / "bin").mkdir()
    program(tmp_path / "bin" / "npm", f"/bin/cp '{package}' .")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return package


NAMES = {"onnxruntime.js": b"onnxruntime.js", "onnxruntime.wasm": b"onnxruntime.wasm"}


def test_npm_is_asked_once(small: Path, cache: Path) -> None:
    assert runtime.runtime() == NAMES
    assert [file.name for file in cache.iterdir()] == [small.name]
    program(small.parent / "bin" / "npm", "exit 1")
    assert runtime.runtime() == NAMES


def test_a_package_from_elsewhere(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (small.parent / "bin" / "npm").unlink()
    for place in (small, small.parent / "package"):
        monkeypatch.setenv(runtime.VARIABLE, str(place))
        assert runtime.runtime() == NAMES


def test_no_npm(small: Path) -> None:
    (small.parent / "bin" / "npm").unlink()
    with pytest.raises(
        InferenceError, match=r"the page runs the network with onnxruntime-web [\d.]+, which npm "
        r"brings, and npm is not there\. Install Node\.js, which has it, or bring the package "
        r"\(onnxruntime-web-[\d.]+\.tgz\) from another machine and set CLASSEUR_ONNXRUNTIME_WEB "
        r"to where it is\.",
    ):  # fmt: skip
        runtime.runtime()


def test_npm_without_a_network(small: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    npm = program(small.parent / "bin" / "npm", "echo no such host >&2; exit 1")
    with pytest.raises(
        InferenceError, match=r"npm could not bring onnxruntime-web [\d.]+: no such host\. Try "
        r"again later, or set CLASSEUR_ONNXRUNTIME_WEB to onnxruntime-web-.*tgz from another",
    ):  # fmt: skip
        runtime.runtime()
    monkeypatch.setattr(runtime, "_PATIENCE", 0.1)
    program(npm, "exec /bin/sleep 5")
    with pytest.raises(InferenceError, match=r"no answer within 0\.1 seconds"):
        runtime.runtime()
    assert list(cache.iterdir()) == []


def test_another_package(small: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wasm = small.parent / "package" / "dist" / "ort-wasm-simd-threaded.wasm"
    wasm.write_text("another")
    monkeypatch.setenv(runtime.VARIABLE, str(small.parent / "package"))
    with pytest.raises(
        InferenceError, match=r"package is not onnxruntime-web [\d.]+ as it was published: "
        r"dist/ort-wasm-simd-threaded\.wasm is missing or has another checksum\. Remove it, and "
        r"let npm bring it again\.",
    ):  # fmt: skip
        runtime.runtime()
    wasm.unlink()
    with pytest.raises(InferenceError, match=r"threaded\.wasm is missing or has another checksum"):
        runtime.runtime()
    monkeypatch.setenv(runtime.VARIABLE, str(small.parent / "gone.tgz"))
    with pytest.raises(
        InferenceError, match=r"CLASSEUR_ONNXRUNTIME_WEB is .*gone\.tgz, which does not exist\. "
        r"Expected onnxruntime-web-[\d.]+\.tgz or the folder it unpacks to\.",
    ):  # fmt: skip
        runtime.runtime()
    monkeypatch.delenv(runtime.VARIABLE)
    small.write_bytes(b"another")
    with pytest.raises(InferenceError, match=r"tgz is missing or has another checksum"):
        runtime.runtime()
    assert list(cache.iterdir()) == []
