"""A split that came with copies of training photos among its test photos, from photos to binder."""

from __future__ import annotations

import dataclasses
import json

import pytest
from tests.data.pictures import cropped, picture, save

from classeur.data.manifest import Manifest, read_manifest
from classeur.evaluation.evaluate import read_metrics
from classeur.evaluation.leaks import ValLeaks
from classeur.study.study import run_study
from classeur.study.train import train


@pytest.fixture
def photos(class_folders, tmp_path):
    root = class_folders({"cup": 8, "sky": 8}, size=(80, 60), splits=("train", "val", "test"))
    save(picture("coffee"), root / "train" / "cup" / "coffee.png")
    save(cropped(picture("coffee")), root / "test" / "cup" / "coffee.png")
    copied = sorted((root / "train" / "sky").iterdir())[0]
    (root / "test" / "sky" / "copy.png").write_bytes(copied.read_bytes())
    return root


def test_a_run_says_what_the_copies_do(photos, tmp_path):
    run = train(photos, "majority", to=tmp_path / "run", size=16)
    effect = read_metrics(run).leaks
    assert (effect.exact, effect.near, effect.photos) == (1, 1, 16)
    page = (run.path / "report.html").read_text()
    assert "2 of the 18 test photos have copies among the training photos (1 exact, 1 near)" in page
    assert "with and without the 2 photos that have copies in training" in page


def test_copies_of_validation_photos_are_counted(photos, tmp_path):
    val = sorted((photos / "val" / "sky").iterdir())
    (photos / "train" / "sky" / "of val.png").write_bytes(val[0].read_bytes())
    (photos / "test" / "sky" / "of val.png").write_bytes(val[1].read_bytes())
    run = train(photos, "majority", to=tmp_path / "run", size=16)
    assert read_metrics(run).val_leaks == ValLeaks(1, 16, 1)
    page = (run.path / "report.html").read_text()
    assert "1 of the 16 validation photos has a copy among the training photos" in page


def test_a_split_of_ours_has_no_copies(photos, tmp_path):
    for file in sorted((photos / "test").rglob("*.png")):
        label = file.parent.name
        file.rename(photos / "train" / label / f"again {file.name}")
    run = train(photos / "train", "majority", to=tmp_path / "run", size=16)
    assert read_metrics(run).leaks is None
    assert "without the" not in (run.path / "report.html").read_text()


def test_the_binder_has_a_table_and_the_pair(photos, tmp_path):
    study = run_study(photos, ["majority"], to=tmp_path / "binder", size=16)
    page = study.binder.read_text()
    assert "With and without copies" in page
    assert "Near-duplicates in different splits" in page
    values = json.loads((study.folder / "comparison.json").read_text())
    assert values["rungs"][0]["leaks"]["near"] == 1
    inspection = json.loads((study.folder / "inspection.json").read_text())
    assert inspection["near_leaks"][0]["paths"] == ["test/cup/coffee.png", "train/cup/coffee.png"]


@pytest.fixture
def saved_four_times(class_folders):
    """48 files that are 12 pictures."""
    root = class_folders({"cup": 6, "sky": 6}, size=(80, 60))
    for file in sorted(root.rglob("*.png")):
        for i in range(3):
            file.with_name(f"{file.stem} {i}.png").write_bytes(file.read_bytes())
    return root


def test_copies_of_one_picture_count_as_one(saved_four_times, tmp_path):
    run = train(saved_four_times, "majority", to=tmp_path / "run", size=16)
    test = read_metrics(run).splits["test"]
    assert (test.photos, test.groups, test.over) == (8, 2, "groups")
    assert len({row.unit for row in read_manifest(run.manifest).rows}) == 12
    page = (run.path / "report.html").read_text()
    assert "over the 2 groups that the photos are in (given, or copies of one picture)" in page


def test_a_study_that_was_begun_before_they_counted_goes_on(saved_four_times, tmp_path):
    study = run_study(saved_four_times, ["majority"], to=tmp_path / "binder", size=16)
    for file in study.folder.rglob("manifest.csv"):
        rows = [dataclasses.replace(row, kept_with="") for row in read_manifest(file).rows]
        Manifest(rows).write(file)
    again = run_study(saved_four_times, ["majority"], to=tmp_path / "binder", size=16)
    assert again.binder.is_file()
    assert {row.unit for row in read_manifest(study.folder / "manifest.csv").rows} != {""}


def test_a_manifest_of_earlier_is_given_them(saved_four_times, tmp_path):
    run = train(saved_four_times, "majority", to=tmp_path / "run", size=16)
    old = tmp_path / "old.csv"
    rows = [dataclasses.replace(row, kept_with="") for row in read_manifest(run.manifest).rows]
    Manifest(rows).write(old)
    again = train(saved_four_times, "majority", to=tmp_path / "2", size=16, manifest=str(old))
    assert read_metrics(again).splits["test"].groups == 2
