"""An exported file answers as the predictor does, or is not there."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from click.testing import CliRunner
from onnx import TensorProto, helper
from PIL import Image

from classeur.cli.export import _NAMES, command
from classeur.config import ModelConfig
from classeur.data.geometry import Geometry
from classeur.data.manifest import Manifest, ManifestRow
from classeur.data.reader import sha256
from classeur.errors import InferenceError
from classeur.inference.export import FORMATS, export, photos, torch_files
from classeur.inference.export.int8 import Pixels, Quality, _delicate, quantised
from classeur.inference.export.onnx_files import halves
from classeur.inference.export.proof import FULL_TOLERANCE, TOLERANCE, Proof, Row
from classeur.inference.graph.photo import Prepare
from classeur.inference.graph.resample import Resample
from classeur.inference.predictor import Predictor
from classeur.models.classifier import Classifier
from classeur.models.preprocessing import Preprocessing
from classeur.run_folder import RunFolder

HUGE = ("6000×4000 JPEG", "1600×1200 JPEG", "3×5000", "5000×3")


@pytest.fixture(autouse=True)
def fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the photos out that take long."""
    kept = {name: make for name, make in photos._MADE.items() if name not in HUGE}
    monkeypatch.setattr(photos, "_MADE", kept)


def make_run(
    path: Path, config: ModelConfig, geometry: Geometry, names: list[str], temperature: float = 1.4
) -> RunFolder:
    torch.manual_seed(0)
    preprocessing = Preprocessing(geometry, (0.5, 0.4, 0.3), (0.2, 0.2, 0.2))
    classifier = Classifier.create(config, names, preprocessing)
    classifier.temperature = temperature
    path.mkdir(exist_ok=True)
    run = RunFolder(path)
    run.config.touch()
    classifier.save_facts(run)
    classifier.save_weights(run)
    return run


@pytest.fixture
def small(tmp_path: Path) -> RunFolder:
    return make_run(tmp_path / "run", ModelConfig("conv1"), Geometry(16), ["ape", "bee", "cat"])


def give_photos(run: RunFolder, root: Path) -> None:
    """Let all photos of class folders be the validation split of a run."""
    rows = []
    for file in sorted(root.rglob("*.png")):
        digest = sha256(file.read_bytes())
        name = file.relative_to(root).as_posix()
        rows.append(ManifestRow(name, file.parent.name, "val", digest, 32, 24, ""))
    Manifest(rows).write(run.manifest)
    run.config.write_text(f"[data]\nphotos = {json.dumps(str(root))}\n")


def test_torchscript_answers_as_the_predictor(
    small: RunFolder, class_folders: Callable[..., Path]
) -> None:
    root = class_folders({"ape": 3, "bee": 3})
    give_photos(small, root)
    (root / "ape" / "0.png").unlink()
    (root / "ape" / "1.png").write_bytes(b"another")
    found = export(small.path, "torchscript")
    assert found.folder == small.path / "export" / "torchscript"
    assert sorted(item.name for item in found.folder.iterdir()) == sorted(found.files)
    assert found.validation == 4
    assert found.proof.worst < 1e-6
    record = json.loads((found.folder / "proof.json").read_text())
    assert record["holds"]
    assert record["worst_difference"] == found.proof.worst
    assert record["photos"] == len(record["rows"]) == 4 + len(photos._MADE)
    texts = {"class_names": "", "temperature": ""}
    file = str(found.folder / "model.torchscript.pt")
    with torch_files.tracing():
        module = torch.jit.load(file, _extra_files=texts)  # type: ignore[no-untyped-call]
        answer = module(torch.zeros(7, 5, 3, dtype=torch.uint8))
    assert json.loads(texts["class_names"]) == ["ape", "bee", "cat"]
    assert answer.shape == (1, 3)


def test_an_earlier_export_is_replaced(small: RunFolder) -> None:
    first = export(small.path, "torchscript").folder
    stamp = (first / "proof.json").stat().st_ino
    assert export(small.path, "torchscript").folder == first
    assert (first / "proof.json").stat().st_ino != stamp
    assert [item.name for item in first.parent.iterdir()] == ["torchscript"]


def test_a_folder_that_one_stands_in(small: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    target = small.path / "here"
    target.mkdir()
    monkeypatch.chdir(target)
    assert export(small.path, "torchscript", to=Path("..") / "here").folder == target
    assert (target / "model.torchscript.pt").is_file()


@pytest.mark.parametrize("files", ['["own.txt"]', '"own.txt"', "5"])
def test_files_of_others_are_kept_however_deep(
    small: RunFolder, tmp_path: Path, files: str
) -> None:
    target = tmp_path / "out"
    (target / "web").mkdir(parents=True)
    (target / "web" / "own.txt").write_text("mine")
    (target / "proof.json").write_text(f'{{"files": {files}}}')
    with pytest.raises(InferenceError, match="holds something else than an earlier export"):
        export(small.path, "safetensors", to=target)
    assert (target / "web" / "own.txt").read_text() == "mine"


class _WrongResize(Prepare):
    def __init__(self, geometry: Geometry, resample: type[Resample] = Resample) -> None:
        super().__init__(replace(geometry, interpolation="nearest"), resample)


def test_a_wrong_resize_fails_and_leaves_nothing(
    small: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch_files, "Prepare", _WrongResize)
    ran = CliRunner().invoke(
        command, [str(small.path), "--format", "torchscript", "--to", str(tmp_path / "out")]
    )
    assert isinstance(ran.exception, InferenceError)
    assert str(ran.exception).startswith(
        "the proof of this torchscript export fails, nothing was written: made: "
    )
    assert [item.name for item in tmp_path.iterdir() if item.name != "run"] == []


def row(**values: Any) -> Row:
    whole = {
        "photo": "a.jpg", "width": 9, "height": 9, "label": "ape", "exported_label": "ape",
        "probability": 0.9, "difference": 0.0, "gap": 0.0, "full_difference": None,
    }  # fmt: skip
    return Row(**whole | values)


def test_what_a_proof_forgives() -> None:
    assert row(difference=TOLERANCE).failure() == ""
    assert row(full_difference=FULL_TOLERANCE).failure() == ""
    tie = row(exported_label="bee", gap=TOLERANCE, difference=5e-4)
    assert tie.is_tie
    assert tie.failure() == ""
    proof = Proof([tie, row(full_difference=0.01)])
    assert (proof.ties, proof.worst, proof.worst_in_full) == ([tie], 5e-4, 0.01)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"exported_label": "bee", "gap": 2e-3}, "a.jpg: bee instead of ape"),
        ({"difference": 2e-3}, "a.jpg: a probability is off by 0.002"),
        ({"difference": float("nan")}, "a.jpg: a probability is off by nan"),
        ({"full_difference": 0.03}, "a.jpg: decoded in full, it is off by 0.03"),
    ],
)
def test_what_a_proof_does_not_forgive(values: dict[str, Any], text: str) -> None:
    assert Proof([row(), row(**values)]).failures == [text]


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({}, ""),
        ({"agreement": 0.94}, "int8 keeps the label of 94.0% of 200 validation photos; at least "
         "95% are expected"),
        ({"int8_accuracy": 0.87}, "int8 is right on 87.0% of 200 validation photos instead of "
         "90.0%; at most 2 points may be lost"),
    ],
)  # fmt: skip
def test_what_int8_may_cost(values: dict[str, float], text: str) -> None:
    kept = Quality(200, 0.9, 0.88, 0.95, 0.01, 0.2)
    assert replace(kept, **values).failure() == text  # type: ignore[arg-type]


def test_the_command_knows_every_format() -> None:
    assert tuple(FORMATS) == _NAMES


def test_an_unknown_format(small: RunFolder) -> None:
    with pytest.raises(InferenceError, match=r'unknown format "onx"\. Did you mean "onnx"\?'):
        export(small.path, "onx")


def test_int8_is_for_onnx(small: RunFolder) -> None:
    with pytest.raises(
        InferenceError, match=r"int8 is for the onnx format, received hub\. Leave it out\."
    ):
        export(small.path, "hub", int8=True)


@pytest.mark.slow
def test_int8_spares_the_first_and_the_depthwise_convolutions() -> None:
    classifier = Classifier.create(
        ModelConfig("test_efficientnet"), ["ape", "bee"],
        Preprocessing(Geometry(32), (0.5, 0.4, 0.3), (0.2, 0.2, 0.2)),
    )  # fmt: skip
    photos = np.random.default_rng(0).integers(0, 256, (12, 32, 32, 3), np.uint8)
    _, answer = halves(classifier)
    network = quantised(answer, Pixels(photos, ["ape"] * 12)).graph
    made_by = {name: node.op_type for node in network.node for name in node.output}
    shapes = {weights.name: weights.dims for weights in network.initializer}
    weights_of = {node.output[0]: node.input[0] for node in network.node}
    kinds = set()
    for number, node in enumerate(node for node in network.node if node.op_type == "Conv"):
        rounded = made_by.get(node.input[1]) == "DequantizeLinear"
        shape = shapes[weights_of[node.input[1]] if rounded else node.input[1]]
        delicate = number == 0 or shape[1] == 1
        assert rounded is not delicate
        kinds.add(delicate)
    assert kinds == {True, False}


def test_weights_that_are_computed_are_no_depthwise_ones() -> None:
    weights = helper.make_tensor("w", TensorProto.FLOAT, (4, 1, 3, 3), [0.0] * 36)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"], "first"),
        helper.make_node("Identity", ["w"], ["v"]),
        helper.make_node("Conv", ["a", "v"], ["b"], "computed"),
        helper.make_node("Conv", ["b", "w"], ["y"], "depthwise"),
    ]
    graph = helper.make_graph(nodes, "three", [], [], [weights])
    assert _delicate(helper.make_model(graph)) == ["first", "depthwise"]
    assert _delicate(helper.make_model(helper.make_graph([], "none", [], []))) == []


def test_int8_needs_validation_photos(small: RunFolder) -> None:
    with pytest.raises(
        InferenceError, match=r"int8 is calibrated on validation photos of the run: expected at "
        r"least 10, found 0 where they were\. Bring the photos back, or leave out int8\.",
    ):  # fmt: skip
        export(small.path, int8=True)


def test_a_missing_package(small: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.import_module

    def lacking(name: str) -> Any:
        if name == "onnxscript":
            raise ImportError(name)
        return real(name)

    monkeypatch.setattr(importlib, "import_module", lacking)
    with pytest.raises(
        InferenceError,
        match=r'this needs onnxscript\. Install it with: pip install "classeur\[export\]"',
    ):
        export(small.path)


def test_a_target_that_is_something_else(small: RunFolder, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").touch()
    with pytest.raises(
        InferenceError, match=r"mine holds something else than an earlier export\. Choose another "
        r"folder, or empty it\.",
    ):  # fmt: skip
        export(small.path, to=tmp_path / "mine")
    with pytest.raises(
        InferenceError, match=r"a\.onnx looks like a file; an export is a folder of several\. Give "
        r"a folder\.",
    ):  # fmt: skip
        export(small.path, to=tmp_path / "a.onnx")


TIMM = ModelConfig("test_resnet")


@pytest.mark.parametrize("names", [["ape", "bee"], ["ape", "bee", "cat"]])
def test_timm_loads_a_hub_folder(tmp_path: Path, names: list[str]) -> None:
    run = make_run(tmp_path / "run", TIMM, Geometry(32), names)
    run.card.write_text("# A card\n")
    found = export(run.path, "hub")
    assert found.files == ["README.md", "config.json", "model.safetensors", "proof.json"]
    assert found.proof.worst < 1e-5
    model = timm.create_model(f"local-dir:{found.folder}", pretrained=True).eval()
    assert model.pretrained_cfg["label_names"] == names
    classifier = Predictor.load(run.path).classifier
    pixels = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), np.uint8)
    with torch.no_grad():
        logits = model(classifier.preprocessing.normalize(torch.from_numpy(pixels)))
    ours = classifier.logits(pixels) / classifier.temperature
    if len(names) == 2:
        ours = torch.cat([torch.zeros_like(ours), ours], dim=1)
    torch.testing.assert_close(logits, ours, atol=1e-5, rtol=1e-5)


def test_safetensors_leave_the_photos_to_the_user(tmp_path: Path) -> None:
    geometry = Geometry(32, resize="crop", crop_pct=0.875, filters=("equalize",))
    run = make_run(tmp_path / "run", TIMM, geometry, ["ape", "bee", "cat"])
    found = export(run.path, "safetensors")
    assert found.files == ["config.json", "model.safetensors", "proof.json"]
    assert found.proof.worst < 1e-5


@pytest.mark.parametrize(
    ("config", "geometry", "name", "text"),
    [
        (ModelConfig("conv1"), Geometry(16), "hub", "conv1 cannot be exported for timm: it is no "
         r"network of timm\. Choose onnx\."),
        (ModelConfig("conv1", zca=3), Geometry(16), "hub", "conv1 cannot be exported for timm: it "
         r"is whitened\. Choose onnx\."),
        (replace(TIMM, head="dense", units=8), Geometry(32), "safetensors", "test_resnet cannot be "
         r"exported for timm: its head is dense, and timm's are linear\. Choose onnx\."),
        (TIMM, Geometry(32, resize="pad"), "hub", r"timm's own transform cannot prepare photos as "
         r"this run does \(resize pad\)\. Choose safetensors and prepare them yourself, or onnx\."),
        (TIMM, Geometry(32, filters=("flip",)), "hub", r"this run does \(filter flip\)"),
    ],
)  # fmt: skip
def test_runs_that_timm_cannot_express(
    tmp_path: Path, config: ModelConfig, geometry: Geometry, name: str, text: str
) -> None:
    run = make_run(tmp_path / "run", config, geometry, ["ape", "bee", "cat"])
    with pytest.raises(InferenceError, match=text):
        export(run.path, name)
    assert not (run.path / "export").exists()


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunFolder, Path]:
    """A run of the cheapest kernel to trace, and its ONNX files."""
    root = tmp_path_factory.mktemp("onnx")
    geometry = Geometry(16, interpolation="nearest", filters=("equalize",))
    run = make_run(root / "run", ModelConfig("conv1"), geometry, ["ape", "bee", "cat"])
    with pytest.MonkeyPatch.context() as patch:
        kept = {name: make for name, make in photos._MADE.items() if name not in HUGE}
        patch.setattr(photos, "_MADE", kept)
        return run, export(run.path).folder


@pytest.mark.slow
@pytest.mark.parametrize("name", ["model.onnx", "model.batch.onnx"])
def test_an_onnx_file_predicts(exported: tuple[RunFolder, Path], name: str) -> None:
    run, folder = exported
    theirs = Predictor.load(folder / name)
    samples = [sample.content for sample in photos.made_photos()]
    ours = [row for _, row, *_ in Predictor.load(run.path).rows(samples)]
    found = [row for _, row, *_ in theirs.rows(samples)]
    np.testing.assert_allclose(np.stack(found), np.stack(ours), atol=1e-6)  # type: ignore[arg-type]
    assert theirs.class_names == ["ape", "bee", "cat"]
    assert theirs.novelty is None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("ask", "text"),
    [
        (lambda file: Predictor.load(file, "cuda"), r"runs on the processor only, received device "
         r"cuda\. Leave it out, or give the run folder\."),
        (lambda file: Predictor.load(file, strange_share=0.1), r"cannot tell which photos are "
         r"strange\. Leave out the strange share, or give the run folder\."),
        (lambda file: Predictor.load(file).explain(Image.new("RGB", (9, 9))), r"cannot explain its "
         r"answers; give the run folder instead\."),
        (lambda file: Predictor.load(file).predict([], max_error=0.1), r"has no thresholds for "
         r"max_error: its run was not scored, or it is int8\. Give the run folder instead\."),
    ],
)  # fmt: skip
def test_what_an_onnx_file_cannot_do(
    exported: tuple[RunFolder, Path], ask: Callable[[Path], object], text: str
) -> None:
    with pytest.raises(InferenceError, match=text):
        ask(exported[1] / "model.onnx")


def test_onnx_files_of_others(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    file = tmp_path / "model.onnx"
    with pytest.raises(InferenceError, match=r"does not exist\. Expected a run folder or an"):
        Predictor.load(file)
    file.write_bytes(b"no model")
    with pytest.raises(
        InferenceError, match="is no file that `classeur export --format onnx` has written: "
    ):
        Predictor.load(file)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"class_names": '["a", "b"]'}, "it has 2 class names for 3 outputs"),
        ({"class_names": "[]"}, "its class names are not different ones, two at least"),
        ({"class_names": '["a", "a", "b"]'}, "its class names are not different ones"),
        ({"class_names": '{"a": 1}'}, "its class names are no list of texts"),
        ({"preprocessing": 32}, "its preprocessing makes uint8 of (32, 32, 3)"),
    ],
)
def test_facts_that_do_not_fit_the_network(
    exported: tuple[RunFolder, Path], tmp_path: Path, change: dict[str, Any], text: str
) -> None:
    import onnx

    model = onnx.load(exported[1] / "model.batch.onnx")
    for item in model.metadata_props:
        if item.key == "preprocessing" and "preprocessing" in change:
            item.value = json.dumps(json.loads(item.value) | {"size": change["preprocessing"]})
        elif item.key in change:
            item.value = change[item.key]
    onnx.save(model, tmp_path / "model.onnx")
    with pytest.raises(InferenceError, match=re.escape(text)):
        Predictor.load(tmp_path / "model.onnx")
