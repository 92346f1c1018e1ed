"""`import classeur`: what it offers, what it loads, and the whole way from photos to answers."""

from __future__ import annotations

import ast
import importlib
import importlib.metadata
import importlib.resources
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import classeur
from classeur.cli.main import _COMMANDS
from classeur.errors import ConfigError, DataError, EvaluationError, RunFolderError
from classeur.run_folder import RunFolder, read_json_lines

ELSEWHERE = {
    "labels": "find_suspicious",
    "study": "run_study",
    "studies": "list_studies",
    "tune": "run_search",
    "recipes": "RECIPES",
    "models": "list_backbones",
}
"""Commands whose function has another name: that of a module would hide it."""


def declared_for_type_checkers() -> dict[str, str]:
    """Name -> module, from the imports below `if TYPE_CHECKING:`."""
    tree = ast.parse(Path(classeur.__file__).read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    return {
        alias.name: str(node.module)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def test_all_that_is_declared_is_there() -> None:
    assert set(classeur.__all__) == set(classeur._HOMES)
    assert len(classeur.__all__) == len(set(classeur.__all__))
    for name, home in classeur._HOMES.items():
        assert getattr(classeur, name) is getattr(importlib.import_module(home), name)


def test_type_checkers_see_the_same() -> None:
    assert declared_for_type_checkers() == classeur._HOMES
    assert importlib.resources.files("classeur").joinpath("py.typed").is_file()


def test_completion_offers_what_is_public() -> None:
    assert dir(classeur) == sorted([*classeur.__all__, "__version__"])


def test_a_name_that_is_not_there() -> None:
    with pytest.raises(AttributeError, match=r"^module 'classeur' has no attribute 'trian'$"):
        classeur.trian  # noqa: B018


def test_every_command_has_its_function() -> None:
    servers = {"serve", "board"}  # they run until they are stopped
    for command in set(_COMMANDS) - servers:
        assert ELSEWHERE.get(command, command) in classeur.__all__


def test_the_version_is_that_of_the_package() -> None:
    assert classeur.__version__ == importlib.metadata.version("classeur")


def test_importing_is_light() -> None:
    code = (
        "import sys, classeur\n"
        "from classeur import ClasseurError, RunConfig, RunFolder\n"
        "from classeur import inspect, predict, prepare\n"
        "print(*sorted({'torch', 'numpy', 'PIL', 'scipy', 'pyarrow', 'tqdm'} & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True
    )
    assert result.stdout == "\n", result.stderr


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Forty drawn photos: a disc at the left or at the right."""
    y, x = np.mgrid[0:24, 0:24]
    random = np.random.default_rng(0)
    for label, centre in (("left", 7), ("right", 16)):
        (tmp_path / "photos" / label).mkdir(parents=True)
        for number in range(20):
            disc = np.hypot(x - centre - random.normal(), y - 12 - random.normal()) < 5
            pixels = np.where(disc, 220, 40) + random.normal(0, 8, (24, 24))
            image = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
            image.save(tmp_path / "photos" / label / f"{number}.png")
    return tmp_path / "photos"


def test_inspect(photos: Path) -> None:
    found = classeur.inspect(photos, limit_per_class=5)
    assert isinstance(found, classeur.Inspection)
    assert found.per_class == {"left": 5, "right": 5}
    with pytest.raises(ConfigError) as raised:
        classeur.inspect(photos, layout="folders", limit=3)
    assert len(raised.value.problems) == 2
    with pytest.raises(DataError, match="does not exist"):
        classeur.inspect("gone")


def test_options_that_would_do_nothing(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as raised:
        classeur.inspect(photos, epochs=3, size=8)
    wrong = [problem.partition(".")[0] for problem in raised.value.problems]
    assert wrong == ['unknown option "epochs"', 'unknown option "size"']
    with pytest.raises(ConfigError) as raised:
        classeur.prepare(photos, to=tmp_path / "arrays", flip=0.5, sise=8, val=2.0)
    assert len(raised.value.problems) == 4
    assert 'unknown option "sise". Did you mean "size"?' in raised.value.problems


def test_prepare(photos: Path, tmp_path: Path) -> None:
    store = classeur.prepare(str(photos), to=str(tmp_path / "arrays"), size=12, color="grey")
    assert isinstance(store, classeur.Store)
    assert store.photos.shape == (40, 12, 12, 1)
    np.testing.assert_array_equal(np.load(tmp_path / "arrays" / "photos.npy"), store.photos)


def test_from_photos_to_answers(photos: Path, tmp_path: Path) -> None:
    run = classeur.train(
        photos, "conv3", to=tmp_path / "run", epochs=1, batch_size=4, size=24, seed=1
    )
    assert isinstance(run, classeur.RunFolder)
    assert run.is_finished
    opened, scored = read_json_lines(run.test_openings)
    assert opened["reason"] == "end of training"

    score = classeur.evaluate(run.path, split="val")
    assert isinstance(score, classeur.Score)
    assert score.metrics.photos == 8
    assert read_json_lines(run.test_openings) == [opened, scored]
    elsewhere = classeur.evaluate(str(run.path), photos)
    assert elsewhere.metrics.photos == 40

    files = [photos / path for path in elsewhere.predictions.paths]
    answers = list(classeur.predict(run.path, [*files, tmp_path / "gone.png"], top_k=2))
    assert answers[-1] == classeur.Prediction(str(tmp_path / "gone.png"), error="does not exist")
    names = elsewhere.predictions.class_names
    for row, answer in enumerate(answers[:-1]):
        assert answer.path == str(files[row])
        for name, probability in answer.top:
            expected = elsewhere.predictions.probabilities[row, names.index(name)]
            assert probability == pytest.approx(expected, abs=1e-5)

    with pytest.raises(RunFolderError, match="is there already"):
        classeur.train(photos, "conv3", to=run.path)
    (photos / "left").rename(photos / "links")
    with pytest.raises(EvaluationError, match="does not know the classes links"):
        classeur.evaluate(run.path, photos)
    with pytest.raises(DataError, match=r"20 of the 40 photos .* are not there"):
        classeur.evaluate(run.path)
    reasons = [line["reason"] for line in read_json_lines(run.test_openings) if "of" not in line]
    assert reasons == ["end of training", "evaluate on photos of the test split"]


def test_answers_are_not_to_be_had_from_what_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="is no run folder"):
        list(classeur.predict(RunFolder(tmp_path / "gone").path, []))
