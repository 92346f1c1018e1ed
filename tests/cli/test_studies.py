"""Studies by name and from a file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from classeur.data.manifest import read_manifest
from classeur.study.definition import list_studies, read_definition

Command = Callable[..., Any]

STUDY = """
title = "Does it help to look?"
rungs = ["majority", "short"]

[[recipes]]
name = "short"
description = "Two epochs, no more."
from = "dense"
[recipes.training]
epochs = 2

[[questions]]
ask = "What does looking bring?"
before = "majority"
after = "short"

[preprocessing]
size = 8

[arrays]
name = "nuit_et_jour"
reverse = true
"""


@pytest.mark.usefixtures("here")
def test_a_study_from_a_file(classeur: Command, photos: Path) -> None:
    Path("étude.toml").write_text(STUDY, encoding="utf-8")
    shown = classeur("-q", "study", "étude.toml", photos, "--to", "classeur d'été")
    assert (shown.code, shown.err) == (0, "")
    folder = Path("classeur d'été")
    written = json.loads((folder / "comparison.json").read_text(encoding="utf-8"))
    (answer,) = written["answers"]
    assert (answer["ask"], answer["before"]) == ("What does looking bring?", "majority")
    assert answer["difference"]["value"] == pytest.approx(
        written["rungs"][0]["test_accuracy"]["value"] - 0.5
    )
    for page in (folder / "index.html", folder / "report.md"):
        text = page.read_text(encoding="utf-8")
        assert "Does it help to look?" in text
        assert "What does looking bring?" in text
    for page in (folder / "index.html", folder / "short" / "report.html"):
        assert "Two epochs, no more." in page.read_text(encoding="utf-8")
    asked = read_definition("étude.toml")
    assert read_definition(folder / "study.toml") == asked

    again = classeur("-q", "study", folder / "study.toml", photos, "--to", folder)
    assert (again.code, again.out) == (0, shown.out)


@pytest.mark.usefixtures("here")
def test_the_photos_of_a_study_as_arrays(classeur: Command, photos: Path) -> None:
    Path("study.toml").write_text(STUDY)
    classeur("-q", "study", "study.toml", photos, "--rungs", "majority")
    rows = read_manifest(Path("binder/manifest.csv")).rows
    names = json.loads(Path("binder/nuit_et_jour_classes.json").read_text())
    assert names == sorted({row.label for row in rows}, reverse=True)
    labels = np.load("binder/nuit_et_jour_labels.npy")
    assert [names[label] for label in labels] == [row.label for row in rows]
    pixels = np.load("binder/nuit_et_jour_photos.npy")
    assert (pixels.shape[:3], pixels.dtype) == ((len(rows), 8, 8), np.uint8)
    light = pixels.reshape(len(rows), -1).mean(axis=1) > 127
    assert len(set(zip(labels.tolist(), light.tolist(), strict=True))) == 2


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('name = "a/b"', '[arrays] name must be of letters, digits, - and _, received "a/b".'),
        ("reverse = true", "[arrays] reverse needs a name: without one nothing is saved."),
        ('nmae = "a"', '[arrays] unknown option "nmae". Did you mean "name"?'),
    ],
)
def test_arrays_that_cannot_be(classeur: Command, photos: Path, text: str, problem: str) -> None:
    Path("study.toml").write_text(f'rungs = ["majority"]\n[arrays]\n{text}\n')
    shown = classeur("study", "study.toml", photos)
    assert (shown.code, shown.out) == (1, "")
    assert shown.err == f"error: study.toml: {problem}\n"


def test_a_part_of_a_study_names_its_own_recipes(classeur: Command, photos: Path) -> None:
    Path("study.toml").write_text(STUDY)
    shown = classeur("study", "study.toml", photos, "--rungs", "shrot")
    assert shown.code == 1
    assert 'unknown recipe "shrot".' in shown.err


def test_more_names_than_a_study_and_photos(classeur: Command) -> None:
    shown = classeur("study", "standard", "photos", "more")
    assert shown.code == 2
    assert "expected [STUDY] PHOTOS, received 3 names." in shown.err
    assert classeur("study").code == 2
    for arguments in (("mine.toml",), ("photos", "mine.toml")):
        shown = classeur("study", *arguments)
        assert shown.code == 2
        assert "the photos stand last: classeur study mine.toml PHOTOS" in shown.err


def test_the_list_of_studies(classeur: Command) -> None:
    shown = classeur("studies")
    assert (shown.code, shown.err) == (0, "")
    names = [line.split()[0] for line in shown.out.splitlines()[2:]]
    assert names == list_studies()
    assert names[0] == "standard"


@pytest.mark.parametrize("name", list_studies())
def test_a_study_to_copy(classeur: Command, name: str) -> None:
    shown = classeur("studies", "show", name)
    assert shown.code == 0
    Path("copy.toml").write_text(shown.out, encoding="utf-8")
    assert read_definition("copy.toml") == read_definition(name)


def test_a_study_that_is_none(classeur: Command, photos: Path) -> None:
    for command in (("studies", "show", "dogs"), ("study", "dogs", photos)):
        shown = classeur(*command)
        assert (shown.code, shown.out) == (1, "")
        assert 'error: unknown study "dogs".' in shown.err


@pytest.mark.usefixtures("here")
def test_a_study_on_folds(classeur: Command, photos: Path) -> None:
    asked = ("study", photos, "--rungs", "majority", "--folds", 4, "--to", "b")
    shown = classeur(*asked)
    assert shown.code == 0
    assert "40 photos of 2 classes, in the first of 4 folds: 22 train, 8 val, 10 test" in shown.err
    header, _, row = shown.out.splitlines()[:3]
    assert "fold by fold" in header
    assert "0.5000–0.5000" in row
    assert "Of all 40 photos, each tested by the network of the one fold" in shown.out
    assert sorted(path.name for path in Path("b").glob("majority-*")) == [
        f"majority-fold{number}" for number in (1, 2, 3, 4)
    ]
    refused = classeur(*asked[:-4], "--folds", 5, "--to", "b")
    assert refused.code == 1
    assert "b holds a study on 4 folds; asked for now: 5 folds." in refused.err
    refused = classeur("study", photos, "--fold", 2)
    assert "No such option: --fold" in refused.err or "No such option '--fold'" in refused.err
